using Npgsql;

namespace Tidemark.Verification;

/// <summary>The statements that simulated servers support, as PostgreSQL executes them.</summary>
internal static class SimulatedStatements
{
    /// <summary>Reads rows in one snapshot, on any node.</summary>
    public static ReadAnswer Read(SimulatedCluster cluster, SimulatedServer server, int[] keys)
    {
        var rows = new Observation[keys.Length];
        var shownTo = 0UL;
        for (var i = 0; i < keys.Length; i++)
        {
            var commit = server.Read(keys[i], cluster.Now);
            rows[i] = commit is null ? new Observation(keys[i], 0, 0) : new Observation(keys[i], commit.Version, commit.Value);
            shownTo = Math.Max(shownTo, commit?.End ?? 0);
        }

        return new ReadAnswer(server, server.IsPrimary, server.Branch, rows, shownTo);
    }

    /// <summary>
    /// What a server reports about itself before a read, as a library with a planted fault reads it. The library evaluates it.
    /// </summary>
    public static CheckAnswer Check(SimulatedCluster cluster, SimulatedServer server)
    {
        var replayed = server.Replay.ReplayedAt(cluster.Now);
        var timeline = !server.IsPrimary && server.IsStreaming && !cluster.Shape.HidesTimelines ? cluster.TimelineOf(server) : 0;
        if (cluster.Has(PlantedFault.DeadTimelineAccepted)) timeline = cluster.Primary?.Branch.Timeline ?? timeline;
        var isFrozen = cluster.Has(PlantedFault.RoleFromFrozenPosition) && server.Branch.Timeline > 1;
        return new CheckAnswer(
            !server.IsPrimary || isFrozen, cluster.Lsn(replayed), timeline, LeastTimelineOf(cluster, server),
            SimulatedCluster.SystemIdentifier, cluster.EpochOf(server));
    }

    /// <summary>The timeline in the control file of a standby, as a library with a planted fault reads it.</summary>
    public static uint LeastTimelineOf(SimulatedCluster cluster, SimulatedServer server) =>
        server.IsPrimary ? 0
        : !cluster.Shape.HidesTimelines ? ReplayTimelineOf(cluster, server.Branch, server.Replay.ReplayedAt(cluster.Now))
        : cluster.Has(PlantedFault.HiddenTimelineTrusted) ? cluster.Current.Timeline
        : server.ControlTimeline;

    /// <summary>The timeline of the last record that a standby has replayed.</summary>
    public static uint ReplayTimelineOf(SimulatedCluster cluster, WalBranch branch, ulong replayed)
    {
        if (cluster.Has(PlantedFault.PositionsWithoutTimeline)) return 1;
        while (branch.Parent is { } parent && replayed <= branch.ForkAt) branch = parent;
        return branch.Timeline;
    }

    /// <summary>Creates the next version of a row and commits, as soon as flushes and locks on the server allow it.</summary>
    /// <exception cref="NpgsqlException">The server's epoch ended meanwhile.</exception>
    public static async ValueTask<WriteAnswer> WriteAsync(SimulatedCluster cluster, SimulatedServer server, int key, long value,
        bool isAsynchronous)
    {
        var epoch = server.Epoch;
        if (!server.IsPrimary) throw ReadOnly();
        while (server.IsLocked[key]) await WaitAsync(cluster, server, epoch, 0.0002).ConfigureAwait(false);
        server.IsLocked[key] = true;
        var (flushedBefore, insertedBefore) = (server.Flushed, cluster.InsertOf(server));
        await WaitAsync(cluster, server, epoch, 0.0002).ConfigureAwait(false);
        return await CommitAsync(cluster, server, epoch, key, value, isAsynchronous, flushedBefore, insertedBefore).ConfigureAwait(false);
    }

    /// <summary>Creates the next version of a row in a transaction that stays open, and keeps the row locked.</summary>
    /// <exception cref="NpgsqlException">The server's epoch ended meanwhile.</exception>
    public static async ValueTask<OpenWrite> BeginWriteAsync(SimulatedCluster cluster, SimulatedServer server, int key)
    {
        var epoch = server.Epoch;
        if (!server.IsPrimary) throw ReadOnly();
        while (server.IsLocked[key]) await WaitAsync(cluster, server, epoch, 0.0002).ConfigureAwait(false);
        server.IsLocked[key] = true;
        var transaction = cluster.NextTransaction();
        server.OpenTransactions.Add(transaction);
        return new OpenWrite(server, epoch, key, transaction, cluster.TimelineOf(server), cluster.InsertOf(server),
            cluster.EpochOf(server));
    }

    /// <summary>Commits a transaction that was left open.</summary>
    /// <exception cref="NpgsqlException">The server's epoch ended meanwhile.</exception>
    public static async ValueTask<WriteAnswer> CommitAsync(SimulatedCluster cluster, OpenWrite write, long value)
    {
        await WaitAsync(cluster, write.Server, write.EpochNumber, 0.0002).ConfigureAwait(false);
        var answer = await CommitAsync(cluster, write.Server, write.EpochNumber, write.Key, value, isAsynchronous: false,
            write.Server.Flushed, write.Inserted).ConfigureAwait(false);
        write.Server.OpenTransactions.Remove(write.Transaction);
        return answer;
    }

    /// <summary>Rolls back a transaction that was left open, as a server does after its connection has ended.</summary>
    public static void RollBack(OpenWrite write)
    {
        if (write.Server.Epoch != write.EpochNumber || !write.Server.OpenTransactions.Remove(write.Transaction)) return;
        write.Server.IsLocked[write.Key] = false;
    }

    public static PostgresException ReadOnly() =>
        new("cannot execute UPDATE in a read-only transaction", "ERROR", "ERROR", PostgresErrorCodes.ReadOnlySqlTransaction);

    private static async ValueTask<WriteAnswer> CommitAsync(
        SimulatedCluster cluster, SimulatedServer server, int epoch, int key, long value, bool isAsynchronous, ulong flushedBefore,
            ulong insertedBefore)
    {
        var version = (server.Read(key, cluster.Now)?.Version ?? 0) + 1;
        var end = server.Append(LengthOf(cluster, server));
        var commit = new SimulatedCommit(end, key, version, cluster.Committed(value));
        server.Branch.Add(commit);
        cluster.History.Commit(key, version, commit.Value, server.Branch.Id, (long)end);
        if (isAsynchronous)
        {
            server.AsynchronousEnd = end;
        }
        else
        {
            await WaitAsync(cluster, server, epoch, 0.0003).ConfigureAwait(false);
            cluster.Flush(server, server.Written);

            // Until the synchronous wait ends, replicas may show what the primary does not show yet.
            if (cluster.Chance(0.05)) await WaitAsync(cluster, server, epoch, 0.02).ConfigureAwait(false);
        }

        server.Show(commit);
        server.IsLocked[key] = false;
        return cluster.Has(PlantedFault.PositionBeforeCommit)
            ? new WriteAnswer(server.Branch, commit, cluster.TimelineOf(server), flushedBefore, insertedBefore, cluster.EpochOf(server))
            : new WriteAnswer(server.Branch, commit, cluster.TimelineOf(server), server.Flushed, cluster.InsertOf(server),
                cluster.EpochOf(server));
    }

    // Records end at arbitrary positions. Those at the end of a page, and 40 bytes into one, are the critical cases.
    private static ulong LengthOf(SimulatedCluster cluster, SimulatedServer server) => cluster.Random.Next(12) switch
    {
        < 5 when server.Insert != server.Written => 16,
        0 => server.LengthTo(pageOffset: 0),
        1 => server.LengthTo(pageOffset: 40),
        _ => (ulong)cluster.Random.Next(8, 60) * 8,
    };

    private static async ValueTask WaitAsync(SimulatedCluster cluster, SimulatedServer server, int epoch, double medianSeconds)
    {
        await cluster.PassAsync(TimeSpan.FromSeconds(Distribution.LogNormal(cluster.Random, medianSeconds, 0.6))).ConfigureAwait(false);
        if (server.Epoch != epoch || !server.IsUp)
            throw new NpgsqlException("Exception while reading from stream", new IOException("The server has crashed."));
    }
}
