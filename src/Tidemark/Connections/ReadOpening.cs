using Npgsql;

namespace Tidemark;

/// <summary>
/// Opens a connection for reading, on a node that has what the read must include, and begins something on it. A node that fails at that, or turns out not to
/// have it, is left out, and the rest is decided anew. Once it is handed out, what is done on it is the caller's.
/// </summary>
internal static class ReadOpening
{
    /// <summary>Opens a connection for reading and begins on it what the caller is given; another node is tried when either fails.</summary>
    public static T Open<T>(TidemarkDataSource source, Consistency? consistency, Func<NpgsqlConnection, RouteDecision, T> begin)
    {
        var attempts = source.BeginRead(consistency, out var session);
        while (true)
        {
            source.Horizons.Resolve(attempts, session);
            var decision = attempts.Next();
            using var activity = RouteActivity.Start(decision);
            var connection = source.Cluster.CreateRead(decision, session, out var lease);
            try
            {
                connection.Open();
                var check = source.Cluster.CheckOf(connection, decision);
                if (check == ConnectionCheck.None || (check == ConnectionCheck.Position && ReadCheck.Passes(connection, decision.MustShow!.Value)))
                {
                    var begun = begin(connection, decision);
                    lease.Deliver();
                    return begun;
                }

                attempts.GiveUp(check, activity);
                connection.Dispose();
            }
            catch (Exception failure)
            {
                RouteActivity.Fail(activity, failure);
                connection.Dispose();

                // Opening and checking are not the caller's commands, whatever takes too long in them.
                if (!attempts.Absorb(failure, isOpen: false)) throw;
            }
        }
    }

    /// <inheritdoc cref="Open"/>
    public static async ValueTask<T> OpenAsync<T>(
        TidemarkDataSource source, Consistency? consistency, Func<NpgsqlConnection, RouteDecision, CancellationToken, ValueTask<T>> begin, CancellationToken cancellationToken)
    {
        var (attempts, session) = await source.BeginReadAsync(consistency, cancellationToken).ConfigureAwait(false);
        while (true)
        {
            await source.Horizons.ResolveAsync(attempts, session, cancellationToken).ConfigureAwait(false);
            var decision = attempts.Next();
            if (attempts.WaitsFor is { } place)
            {
                attempts.Waited(await source.Horizons.WaitAsync(place, attempts.OnNode, cancellationToken).ConfigureAwait(false));
                continue;
            }

            using var activity = RouteActivity.Start(decision);
            var connection = source.Cluster.CreateRead(decision, session, out var lease);
            try
            {
                await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
                var check = source.Cluster.CheckOf(connection, decision);
                if (check == ConnectionCheck.None || (check == ConnectionCheck.Position
                    && await ReadCheck.PassesAsync(connection, decision.MustShow!.Value, cancellationToken).ConfigureAwait(false)))
                {
                    var begun = await begin(connection, decision, cancellationToken).ConfigureAwait(false);
                    lease.Deliver();
                    return begun;
                }

                attempts.GiveUp(check, activity);
                await connection.DisposeAsync().ConfigureAwait(false);
            }
            catch (Exception failure)
            {
                RouteActivity.Fail(activity, failure);
                await connection.DisposeAsync().ConfigureAwait(false);

                // Opening and checking are not the caller's commands, whatever takes too long in them.
                if (!attempts.Absorb(failure, isOpen: false)) throw;
            }
        }
    }
}
