using Npgsql;

namespace Tidemark;

/// <summary>
/// Opens a connection of the context's to the node that a read goes to, and begins something on it. EF Core opens it, so that the user's connection
/// interceptors run there. A node that fails at that, or turns out not to have what the read must include, is left out. The connection stays open, and is
/// the caller's.
/// </summary>
internal static class NodeOpening
{
    public static T Open<T>(ContextRouting routing, in ReadAsk ask, Func<NodeConnection, RouteDecision, T> begin)
    {
        var session = routing.Session;
        routing.Source.Horizons.Prepare(session);
        var attempts = routing.BeginRead(ask);
        while (true)
        {
            routing.Source.Horizons.Resolve(attempts, session);
            var decision = attempts.Next();
            using var activity = RouteActivity.Start(decision);
#pragma warning disable CA2000 // It is the caller's once something has begun on it, and disposed of below otherwise.
            var node = routing.NewConnectionTo(decision);
#pragma warning restore CA2000
            try
            {
                node.Open();
                var check = routing.Source.Cluster.CheckOf(node.DbConnection, decision);
                if (check == ConnectionCheck.None || (check == ConnectionCheck.Position && ReadCheck.Passes(node.DbConnection, decision.MustShow!.Value)))
                {
                    var begun = begin(node, decision);
                    node.Deliver();
                    return begun;
                }

                attempts.GiveUp(check, activity);
                node.Dispose();
            }
            catch (Exception failure)
            {
                RouteActivity.Fail(activity, failure);
                node.Dispose();
                if (IsOver(ref attempts, failure)) throw;
            }
        }
    }

    /// <inheritdoc cref="Open"/>
    public static async Task<T> OpenAsync<T>(
        ContextRouting routing, ReadAsk ask, Func<NodeConnection, RouteDecision, CancellationToken, Task<T>> begin, CancellationToken cancellationToken)
    {
        var session = routing.Session;
        await routing.Source.Horizons.PrepareAsync(session, cancellationToken).ConfigureAwait(false);
        var attempts = routing.BeginRead(ask) with { MayWait = true };
        while (true)
        {
            await routing.Source.Horizons.ResolveAsync(attempts, session, cancellationToken).ConfigureAwait(false);
            var decision = attempts.Next();
            if (attempts.WaitsFor is { } place)
            {
                attempts.Waited(await routing.Source.Horizons.WaitAsync(place, attempts.OnNode, cancellationToken).ConfigureAwait(false));
                continue;
            }

            using var activity = RouteActivity.Start(decision);
#pragma warning disable CA2000 // It is the caller's once something has begun on it, and disposed of below otherwise.
            var node = routing.NewConnectionTo(decision);
#pragma warning restore CA2000
            try
            {
                await node.OpenAsync(cancellationToken).ConfigureAwait(false);
                var check = routing.Source.Cluster.CheckOf(node.DbConnection, decision);
                if (check == ConnectionCheck.None || (check == ConnectionCheck.Position
                    && await ReadCheck.PassesAsync(node.DbConnection, decision.MustShow!.Value, cancellationToken).ConfigureAwait(false)))
                {
                    var begun = await begin(node, decision, cancellationToken).ConfigureAwait(false);
                    node.Deliver();
                    return begun;
                }

                attempts.GiveUp(check, activity);
                await node.DisposeAsync().ConfigureAwait(false);
            }
            catch (Exception failure)
            {
                RouteActivity.Fail(activity, failure);
                await node.DisposeAsync().ConfigureAwait(false);
                if (IsOver(ref attempts, failure)) throw;
            }
        }
    }

    /// <summary>The failure is the caller's. So is that a statement writes: what is opened here is for reading alone.</summary>
    private static bool IsOver(ref ReadAttempts attempts, Exception failure) =>
        ReadFailures.Classify(failure, onReplica: true, isOpen: false) == ReadFailure.Writes || !attempts.Absorb(failure, isOpen: false);
}
