using System.Runtime.CompilerServices;

namespace Tidemark;

/// <summary>
/// The attempts of one read, from decision to answer, for everything that reads. A node that fails before the first row, or turns out not
/// to have what
/// the read must include, is left out, and the rest is decided anew. Never repeats what may have written.
/// </summary>
internal static class ReadLoop
{
    /// <inheritdoc cref="RunAsync"/>
    public static T Run<T>(WatermarkResolver watermarks, ReadRequest request, IReadOperation<T> operation)
        where T : class => Io.Result(RunAsync(watermarks, request, operation, IoMode.Blocking, CancellationToken.None));

    /// <summary>Reads.</summary>
    /// <param name="watermarks">Learns what the read must include, where that takes asking.</param>
    /// <param name="request">What the caller asks of the read.</param>
    /// <param name="operation">What is done with a node.</param>
    /// <param name="io">How every step waits.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="RoutingException">No node can serve; says why for each.</exception>
    /// <remarks>
    /// What a read keeps while it waits is much, and used again for the next: the task is awaited once, as it is by all who call.
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

                // The primary that answered is not the run of it that is known: a session that came before it hears what was lost before it
                // is answered.
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
