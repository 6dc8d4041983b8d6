using System.Runtime.CompilerServices;

namespace Tidemark;

/// <summary>
/// The attempts of one read, from decision to answer, for everything that reads. A node that fails before the first row, or turns out not to have what
/// the read must include, is left out, and the rest is decided anew. Never repeats what may have written.
/// </summary>
internal static class ReadLoop
{
    /// <inheritdoc cref="RunAsync"/>
    public static T Run<T>(HorizonResolver horizons, ReadAttempts attempts, IReadTrip<T> trip)
        where T : class
    {
#pragma warning disable CA2012, RS0030 // Every step blocks for itself: the task is complete, and nothing is waited for here.
        return RunAsync(horizons, attempts, trip, isAsync: false, CancellationToken.None).GetAwaiter().GetResult();
#pragma warning restore CA2012, RS0030
    }

    /// <summary>Reads.</summary>
    /// <param name="horizons">Learns what the read must include, where that takes asking.</param>
    /// <param name="attempts">The read.</param>
    /// <param name="trip">What is done with a node.</param>
    /// <param name="isAsync">False: every step blocks, and the returned task is complete.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="RoutingException">No node can serve; says why for each.</exception>
    /// <remarks>What a read keeps while it waits is much, and used again for the next: the task is awaited once, as it is by all who call.</remarks>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public static async ValueTask<T> RunAsync<T>(
        HorizonResolver horizons, ReadAttempts attempts, IReadTrip<T> trip, bool isAsync, CancellationToken cancellationToken)
        where T : class
    {
        attempts.MayWait = true;
        await horizons.PrepareAsync(attempts.Session, isAsync, cancellationToken).ConfigureAwait(false);
        while (true)
        {
            await horizons.ResolveAsync(attempts, isAsync, cancellationToken).ConfigureAwait(false);
            attempts.Next();
            if (horizons.Validate(attempts)) continue;
            if (attempts.WaitsFor is { } place)
            {
                attempts.Waited(await horizons.WaitAsync(place, attempts.OnNode, isAsync, cancellationToken).ConfigureAwait(false));
                continue;
            }

            using var activity = RouteActivity.Start(attempts.Decision);
            var isOpen = false;
            try
            {
                var check = await trip.OpenAsync(attempts.Decision, attempts.IsWrite, isAsync, cancellationToken).ConfigureAwait(false);
                isOpen = true;
                if (check == ConnectionCheck.Unwitnessed && attempts.MustWitnessFirst)
                    await horizons.WitnessAsync(attempts.Session!, attempts.Decision.NodeIndex, isAsync, cancellationToken).ConfigureAwait(false);

                if (check != ConnectionCheck.TooYoung)
                {
                    if (await trip.SendAsync(attempts.ProofOf(check), isAsync, cancellationToken).ConfigureAwait(false) is { } answer)
                    {
                        trip.Deliver();
                        return answer;
                    }
                }

                attempts.GiveUp(check, activity);
                await trip.CloseAsync(isAsync).ConfigureAwait(false);

                // The primary that answered is not the run of it that is known: a session that came before it hears what was lost before it is answered.
                if (check == ConnectionCheck.Unwitnessed)
                    await horizons.WitnessAsync(attempts.Session, attempts.Decision.NodeIndex, isAsync, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception failure)
            {
                RouteActivity.Fail(activity, failure);
                var isAbsorbed = attempts.Absorb(failure, isOpen && trip.RunsCallersCommand, trip.MayHaveWritten);
                if (!isAbsorbed && trip.RunsCallersCommand) trip.Deliver();
                await trip.CloseAsync(isAsync).ConfigureAwait(false);
                if (attempts.Refusal is not null) throw attempts.Refusal;
                if (!isAbsorbed) throw;
            }
        }
    }
}
