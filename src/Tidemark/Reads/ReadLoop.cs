using System.Runtime.CompilerServices;

namespace Tidemark;

/// <summary>
/// The loop of attempts of one read, from decision to answer, for all kinds of reads. If a node fails before the first row, or does not
/// have what the read must include, the loop excludes it and decides again. Never retries what may have written.
/// </summary>
internal static class ReadLoop
{
    /// <inheritdoc cref="RunAsync"/>
    public static T Run<T>(WatermarkResolver watermarks, ReadRequest request, IReadOperation<T> operation)
        where T : class => Io.Result(RunAsync(watermarks, request, operation, IoMode.Blocking, CancellationToken.None));

    /// <summary>Runs a read.</summary>
    /// <param name="watermarks">Resolves what the read must include.</param>
    /// <param name="request">What the caller asks of the read.</param>
    /// <param name="operation">What is done on a node.</param>
    /// <param name="io">How every step waits.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="RoutingException">No node can serve the read. Its message contains the reason for each node.</exception>
    /// <remarks>
    /// The state of a waiting read is large, so it is pooled and reused. The task must be awaited only once, as all callers do.
    /// </remarks>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public static async ValueTask<T> RunAsync<T>(
        WatermarkResolver watermarks, ReadRequest request, IReadOperation<T> operation, IoMode io, CancellationToken cancellationToken)
        where T : class
    {
        var attempts = new ReadAttempts(watermarks.Cluster, request) { MayWait = true };
        await watermarks.PrepareAsync(request.Session, io, cancellationToken).ConfigureAwait(false);
        while (true)
        {
            await watermarks.SettleAsync(request.Session, io, cancellationToken).ConfigureAwait(false);
            if (attempts.NeedsSample is { } mark)
                await watermarks.ResolveAsync(request.Session!, mark, io, cancellationToken).ConfigureAwait(false);
            attempts.Next();
            if (watermarks.Validate(request.Session, attempts.Decision.Snapshot)) continue;
            if (attempts.WaitsFor is { } position)
            {
                attempts.Waited(await watermarks.WaitAsync(position, request.OnNode, io, cancellationToken).ConfigureAwait(false));
                continue;
            }

            using var activity = RouteActivity.Start(attempts.Decision);
            var isOpen = false;
            try
            {
                var check = await operation.OpenAsync(attempts.Decision, attempts.IsWrite, io, cancellationToken)
                    .ConfigureAwait(false);
                isOpen = true;
                if (check == ConnectionCheck.Unverified && attempts.MustVerifyFirst)
                    await watermarks.VerifyAsync(request.Session!, attempts.Decision.NodeIndex, io, cancellationToken)
                        .ConfigureAwait(false);

                if (check != ConnectionCheck.TooYoung)
                {
                    if (await operation.SendAsync(attempts.ProofOf(check), io, cancellationToken).ConfigureAwait(false) is { } answer)
                    {
                        operation.Deliver();
                        return answer;
                    }
                }

                attempts.GiveUp(check, activity);
                await operation.CloseAsync(io).ConfigureAwait(false);

                // The primary that responded is not in the recorded epoch. Report lost writes to a session that started before that epoch,
                // before it gets an answer.
                if (check == ConnectionCheck.Unverified)
                    await watermarks.VerifyAsync(request.Session, attempts.Decision.NodeIndex, io, cancellationToken)
                        .ConfigureAwait(false);
            }
            catch (Exception failure)
            {
                RouteActivity.Fail(activity, failure);
                var isAbsorbed = attempts.Absorb(failure, isOpen && operation.RunsCallersCommand, operation.MayHaveWritten);
                if (!isAbsorbed && operation.RunsCallersCommand) operation.Deliver();
                await operation.CloseAsync(io).ConfigureAwait(false);
                if (attempts.Refusal is not null) throw attempts.Refusal;
                if (!isAbsorbed) throw;
            }
        }
    }
}
