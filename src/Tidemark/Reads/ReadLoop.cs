using System.Runtime.CompilerServices;

namespace Tidemark;

/// <summary>
/// The loop of attempts of one read, from decision to answer, for all kinds of reads. If a node fails before the first row, or does not
/// have what the read must include, the loop excludes it and decides again. Never retries what may have written.
/// </summary>
internal static class ReadLoop
{
    /// <inheritdoc cref="RunAsync"/>
    public static T Run<T>(WatermarkResolver watermarks, ReadAttempts attempts, IReadOperation<T> operation)
        where T : class
    {
#pragma warning disable CA2012, RS0030 // Every step runs synchronously, so the task is complete and GetResult does not block.
        return RunAsync(watermarks, attempts, operation, isAsync: false, CancellationToken.None).GetAwaiter().GetResult();
#pragma warning restore CA2012, RS0030
    }

    /// <summary>Runs a read.</summary>
    /// <param name="watermarks">Resolves what the read must include.</param>
    /// <param name="attempts">The attempts of the read.</param>
    /// <param name="operation">What is done on a node.</param>
    /// <param name="isAsync">If <see langword="false"/>, every step runs synchronously and the returned task is complete.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="RoutingException">No node can serve the read. Its message contains the reason for each node.</exception>
    /// <remarks>
    /// The state of a waiting read is large, so it is pooled and reused. The task must be awaited only once, as all callers do.
    /// </remarks>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public static async ValueTask<T> RunAsync<T>(
        WatermarkResolver watermarks, ReadAttempts attempts, IReadOperation<T> operation, bool isAsync, CancellationToken cancellationToken)
        where T : class
    {
        attempts.MayWait = true;
        await watermarks.PrepareAsync(attempts.Session, isAsync, cancellationToken).ConfigureAwait(false);
        while (true)
        {
            await watermarks.ResolveAsync(attempts, isAsync, cancellationToken).ConfigureAwait(false);
            attempts.Next();
            if (watermarks.Validate(attempts)) continue;
            if (attempts.WaitsFor is { } position)
            {
                attempts.Waited(await watermarks.WaitAsync(position, attempts.OnNode, isAsync, cancellationToken).ConfigureAwait(false));
                continue;
            }

            using var activity = RouteActivity.Start(attempts.Decision);
            var isOpen = false;
            try
            {
                var check = await operation.OpenAsync(attempts.Decision, attempts.IsWrite, isAsync, cancellationToken)
                    .ConfigureAwait(false);
                isOpen = true;
                if (check == ConnectionCheck.Unverified && attempts.MustVerifyFirst)
                    await watermarks.VerifyAsync(attempts.Session!, attempts.Decision.NodeIndex, isAsync, cancellationToken)
                        .ConfigureAwait(false);

                if (check != ConnectionCheck.TooYoung)
                {
                    if (await operation.SendAsync(attempts.ProofOf(check), isAsync, cancellationToken).ConfigureAwait(false) is { } answer)
                    {
                        operation.Deliver();
                        return answer;
                    }
                }

                attempts.GiveUp(check, activity);
                await operation.CloseAsync(isAsync).ConfigureAwait(false);

                // The primary that responded is not in the recorded epoch. Report lost writes to a session that started before that epoch,
                // before it gets an answer.
                if (check == ConnectionCheck.Unverified)
                    await watermarks.VerifyAsync(attempts.Session, attempts.Decision.NodeIndex, isAsync, cancellationToken)
                        .ConfigureAwait(false);
            }
            catch (Exception failure)
            {
                RouteActivity.Fail(activity, failure);
                var isAbsorbed = attempts.Absorb(failure, isOpen && operation.RunsCallersCommand, operation.MayHaveWritten);
                if (!isAbsorbed && operation.RunsCallersCommand) operation.Deliver();
                await operation.CloseAsync(isAsync).ConfigureAwait(false);
                if (attempts.Refusal is not null) throw attempts.Refusal;
                if (!isAbsorbed) throw;
            }
        }
    }
}
