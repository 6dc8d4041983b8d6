namespace Tidemark.Verification;

/// <summary>
/// The faults of a simulated world and their times: crashes, stalls, disconnections, promotions that lose the end of the WAL, killed
/// processes, clock jumps. They are drawn from the world's seed, and healed before its end.
/// </summary>
internal sealed class Weather(SimulatedCluster cluster)
{
    private bool _isOver;
    private bool _hasRolledBack;

    private bool IsCalm => _isOver || cluster.IsOver;

    public void Begin()
    {
        if (cluster.Shape.FaultInterval is { } interval) cluster.Counts.Watch(StormAsync(interval));
        if (cluster.Shape.NoiseInterval is { } noise) cluster.Counts.Watch(MakeNoiseAsync(noise));
        if (cluster.Shape.Profile == LagProfile.Failover) cluster.Counts.Watch(FailOverAsync());
        if (cluster.Shape.HidesTimelines) cluster.Counts.Watch(MakeRestartPointsAsync());
        cluster.Counts.Watch(WriteOutAsync());
    }

    /// <summary>Makes everything run, connect and follow one primary, which has flushed everything.</summary>
    public void Heal()
    {
        _isOver = true;
        cluster.DisturbPrimary();
        foreach (var server in cluster.Servers) (server.IsReachable, server.IsFull) = (true, false);
        var primary = cluster.Servers.FirstOrDefault(s => s.IsPrimary && s.Branch == cluster.Current)
            ?? Promote(cluster.Servers.First(s => !s.IsPrimary && !cluster.NodeOf(s).IsBalanced));
        if (!primary.IsUp) Restart(primary);
        foreach (var server in cluster.Servers)
        {
            if (server == primary) continue;
            if (server.IsPrimary || !primary.Branch.Contains(server.Branch, server.Replay.ReceivedAt(cluster.Now)))
                Rebuild(server, primary);
            else if (!server.IsUp) Restart(server);
            else cluster.Follow(server, primary);
        }

        cluster.Flush(primary, primary.Written);
        foreach (var server in cluster.Servers.Where(s => !s.IsPrimary))
        {
            cluster.Follow(server, primary);
            server.Replay.HurryTo(cluster.Now + TimeSpan.FromMilliseconds(200).Ticks);
        }
    }

    private async Task StormAsync(TimeSpan interval)
    {
        while (true)
        {
            await cluster.PassAsync(TimeSpan.FromSeconds(Distribution.Exponential(cluster.Random, interval.TotalSeconds)))
                .ConfigureAwait(false);
            if (IsCalm) return;
            var kind = cluster.Random.Next(100);
            cluster.Counts.Watch(kind switch
            {
                < 28 when cluster.Shape.IsPlanned => RestartCleanlyAsync(AnyReplica()),
                >= 62 and < 84 when cluster.Shape.IsPlanned => RestartCleanlyAsync(cluster.Primary),
                >= 84 and < 91 when cluster.Shape.RollsBackStorage => RollBackStorageAsync(),
                >= 95 when cluster.Shape.Starves && cluster.Chance(0.7) => StarveAsync(),
                < 4 => RestartCleanlyAsync(AnyReplica()),
                < 14 => CrashReplicaAsync(isWholeServer: true),
                < 28 => CrashReplicaAsync(isWholeServer: false),
                < 40 => StallAsync(),
                < 52 => DisconnectAsync(),
                < 58 => CutOffAsync(),
                < 62 => RestartCleanlyAsync(cluster.Primary),
                < 72 => CrashPrimaryAsync(),
                < 84 => FailOverAsync(),
                < 91 => RestartApplicationAsync(),
                < 95 => FillUpAsync(),
                _ => JumpClockAsync(),
            });
        }
    }

    private TimeSpan Some(double medianSeconds) => TimeSpan.FromSeconds(Distribution.LogNormal(cluster.Random, medianSeconds, 0.8));

    private SimulatedServer? AnyReplica()
    {
        var replicas = cluster.Servers.Where(s => !s.IsPrimary && s.IsUp).ToArray();
        return replicas.Length == 0 ? null : replicas[cluster.Random.Next(replicas.Length)];
    }

    private async Task CrashReplicaAsync(bool isWholeServer)
    {
        if (AnyReplica() is not { } server) return;
        cluster.Trace($"{server.Name} crashes ({(isWholeServer ? "the server" : "one backend")})");
        Crash(server);
        await cluster.PassAsync(Some(isWholeServer ? 0.3 : 0.05)).ConfigureAwait(false);

        // It may have been started, promoted and stopped again since.
        if (IsCalm || server.IsUp || server.IsPrimary) return;
        if (isWholeServer) server.StartedAt = cluster.Begin();
        Restart(server);
    }

    /// <summary>A planned restart. Everything is flushed and sent to the standbys first, so nothing is lost.</summary>
    private async Task RestartCleanlyAsync(SimulatedServer? server)
    {
        if (server is null) return;
        cluster.Trace($"{server.Name} is restarted");
        if (server.IsPrimary) cluster.Flush(server, server.Written);
        var branch = server.Branch;
        server.EndEpoch(cluster.Now);
        server.IsUp = false;
        if (!server.IsPrimary)
        {
            server.Replay.CutOff(cluster.Now);
            server.IsStreaming = false;
        }
        else
        {
            cluster.DisturbPrimary();
            FenceOff();
        }

        await cluster.PassAsync(Some(0.2)).ConfigureAwait(false);
        if (IsCalm || server.IsUp || server.Branch != branch) return;
        server.StartedAt = cluster.Begin();
        if (!server.IsPrimary)
        {
            Restart(server, isCrash: false);
            return;
        }

        if (server.Branch != cluster.Current) return;
        server.EndEpoch(cluster.Now);
        server.IsUp = true;
        server.Resume();
        cluster.DisturbPrimary();
        cluster.Trace($"{server.Name} is up again after a clean stop, at {server.Flushed:X}");
    }

    private async Task StallAsync()
    {
        if (AnyReplica() is not { } server) return;
        var time = Some(0.5);
        cluster.Trace($"{server.Name} stops replaying for {time.TotalSeconds:0.00} s");
        server.Replay.StallUntil(cluster.Now + time.Ticks, cluster.Now);
        await cluster.PassAsync(time).ConfigureAwait(false);
    }

    private async Task DisconnectAsync()
    {
        if (AnyReplica() is not { IsStreaming: true } server) return;
        cluster.Trace($"{server.Name} is disconnected from its primary");
        server.Replay.CutOff(cluster.Now);
        server.IsStreaming = false;
        await cluster.PassAsync(Some(0.5)).ConfigureAwait(false);
        if (IsCalm || server.IsPrimary || server.IsStreaming || !server.IsUp || cluster.Primary is not { } primary) return;
        if (!primary.Branch.Contains(server.Branch, server.Replay.ReceivedAt(cluster.Now))) return;
        cluster.Trace($"{server.Name} streams again");
        cluster.Follow(server, primary);
    }

    private async Task CutOffAsync()
    {
        var server = cluster.Servers[cluster.Random.Next(cluster.Servers.Count)];
        if (!server.IsReachable) return;
        cluster.Trace($"{server.Name} cannot be reached by applications");
        cluster.DisturbPrimary();
        server.IsReachable = false;
        if (server.IsPrimary && server.Branch == cluster.Current) FenceOff();
        await cluster.PassAsync(Some(0.4)).ConfigureAwait(false);

        // A primary that history continued without is fenced off until it is rebuilt.
        if (IsCalm || (server.IsPrimary && server.Branch != cluster.Current)) return;
        server.IsReachable = true;
        cluster.DisturbPrimary();
        cluster.Trace($"{server.Name} can be reached again");
    }

    private async Task CrashPrimaryAsync()
    {
        if (cluster.Primary is not { } server) return;
        var isWholeServer = cluster.Chance(0.5);
        cluster.Trace(
            $"the primary {server.Name} crashes ({(isWholeServer ? "the server" : "one backend")}) "
            + $"with {server.Written - server.Flushed} bytes not flushed");
        Crash(server);
        await cluster.PassAsync(Some(0.2)).ConfigureAwait(false);
        if (IsCalm || server.IsUp || server.Branch != cluster.Current) return;
        if (isWholeServer) server.StartedAt = cluster.Begin();
        Restart(server);
    }

    private async Task FailOverAsync()
    {
        if (cluster.Shape.Profile == LagProfile.Failover) await cluster.PassAsync(TimeSpan.FromSeconds(5)).ConfigureAwait(false);
        if (cluster.Primary is not { } old) return;
        cluster.Trace($"the primary {old.Name} fails");
        Crash(old);
        await cluster.PassAsync(Some(0.2)).ConfigureAwait(false);
        var candidates = cluster.Servers.Where(s => !s.IsPrimary && s.Serves && old.Branch == s.Branch && !cluster.NodeOf(s).IsBalanced)
            .ToArray();
        if (IsCalm || old.IsUp || old.Branch != cluster.Current || candidates.Length == 0) return;
        var promoted = Promote(candidates[cluster.Random.Next(candidates.Length)]);
        foreach (var standby in cluster.Servers.Where(s => !s.IsPrimary && s.IsUp && s.IsStreaming))
        {
            // A standby that has received WAL which the promoted server lacks cannot follow it. It stays on its dead timeline.
            if (promoted.Branch.Contains(standby.Branch, standby.Replay.ReceivedAt(cluster.Now))) cluster.Follow(standby, promoted);
            else cluster.Trace($"{standby.Name} is left behind on timeline {standby.Branch.Timeline}");
        }

        await cluster.PassAsync(Some(0.7)).ConfigureAwait(false);
        if (IsCalm || old.IsUp || cluster.Primary is not { } primary) return;
        if (cluster.Chance(0.3) && primary.Serves && cluster.Applications.All(a => a.HasObserved(primary.Branch.Timeline)))
        {
            cluster.Trace($"{old.Name} restarts and acts as a primary");
            old.EndEpoch(cluster.Now);
            old.StartedAt = old.StatisticsResetAt = cluster.Begin();
            old.IsUp = true;
            cluster.DisturbPrimary();
            await cluster.PassAsync(Some(0.3)).ConfigureAwait(false);
            if (IsCalm || cluster.Primary is null) return;
            primary = cluster.Primary;
        }

        foreach (var server in cluster.Servers)
        {
            if (server != primary && (server == old || !primary.Branch.Contains(server.Branch, server.Replay.ReceivedAt(cluster.Now))))
                Rebuild(server, primary);
        }
    }

    private async Task RestartApplicationAsync()
    {
        var index = cluster.Random.Next(cluster.Applications.Count);
        if (cluster.Applications[index].IsOver) return;
        cluster.Trace($"{cluster.Applications[index].Name} is killed");
        cluster.Applications[index].Kill();
        FenceOff();
        await cluster.PassAsync(Some(0.1)).ConfigureAwait(false);
        if (IsCalm || !cluster.Applications[index].IsOver) return;
        cluster.Trace($"{cluster.Applications[index].Name} starts");
        cluster.StartApplication(index);
    }

    /// <summary>Other clients take all remaining connections of a server.</summary>
    private async Task FillUpAsync()
    {
        var server = cluster.Servers[cluster.Random.Next(cluster.Servers.Count)];
        if (server.IsFull) return;
        cluster.Trace($"{server.Name} has no connection left");
        server.IsFull = true;
        cluster.DisturbPrimary();
        await cluster.PassAsync(Some(0.3)).ConfigureAwait(false);
        server.IsFull = false;
        cluster.DisturbPrimary();
    }

    /// <summary>
    /// Restores the primary's storage to an earlier time while a replica has replayed more. By then, applications have observed how far the
    /// replica is. The replica is so far ahead that the primary does not reach that position again before the world ends.
    /// </summary>
    private async Task RollBackStorageAsync()
    {
        const ulong Lead = 1 << 20;
        if (_hasRolledBack || cluster.Primary is not { } server) return;
        var (branch, to) = (server.Branch, server.Flushed);
        await cluster.PassAsync(Some(0.1)).ConfigureAwait(false);
        if (IsCalm || cluster.Primary != server || server.Branch != branch
            || !cluster.Servers.Any(s => !s.IsPrimary && s.IsStreaming && s.Branch == branch)) return;
        _hasRolledBack = true;
        server.Append(Lead);
        cluster.Flush(server, server.Written);
        var soon = cluster.Now + TimeSpan.FromMilliseconds(50).Ticks;
        foreach (var standby in cluster.Servers.Where(s => !s.IsPrimary && s.Branch == branch)) standby.Replay.HurryTo(soon);
        await cluster.PassAsync(TimeSpan.FromMilliseconds(60)).ConfigureAwait(false);
        if (IsCalm || cluster.Primary != server || server.Branch != branch) return;
        cluster.Trace($"the primary {server.Name} fails at {server.Flushed:X}, and its storage is restored as of {to:X}");
        Crash(server);
        await cluster.PassAsync(TimeSpan.FromSeconds(1.5)).ConfigureAwait(false);
        if (IsCalm || server.IsUp || server.Branch != cluster.Current) return;
        server.StartedAt = cluster.Begin();
        Restart(server, to: to);

        // A replica that no process has observed to be ahead serves reads until the primary's next sample. This is a limit of the
        // guarantees (docs/guarantees.md).
        foreach (var standby in cluster.Servers.Where(s => IsAhead(s) && !cluster.Applications.All(a => a.HasObserved(s, to))))
            Rebuild(standby, server);
    }

    /// <summary>Whether a standby has replayed what the primary of its timeline has lost.</summary>
    private bool IsAhead(SimulatedServer server) =>
        !server.IsPrimary && server.Branch.Timeline == cluster.Current.Timeline
            && !cluster.Current.Contains(server.Branch, server.Replay.ReceivedAt(cluster.Now));

    private Task StarveAsync()
    {
        var application = cluster.Applications[cluster.Random.Next(cluster.Applications.Count)];
        var time = Some(0.2);
        application.StarvedUntil = cluster.Now + time.Ticks;
        cluster.Trace($"the callers of {application.Name} wait for a thread for {time.TotalSeconds:0.00} s");
        return Task.CompletedTask;
    }

    /// <summary>Lets standbys write their control files.</summary>
    private async Task MakeRestartPointsAsync()
    {
        while (!cluster.IsOver)
        {
            await cluster.PassAsync(TimeSpan.FromSeconds(0.1 + (0.5 * cluster.Random.NextDouble()))).ConfigureAwait(false);
            foreach (var server in cluster.Servers.Where(s => !s.IsPrimary && s.IsUp)) WriteControlFile(server);
        }
    }

    private void WriteControlFile(SimulatedServer server) =>
        server.ControlTimeline = SimulatedStatements.ReplayTimelineOf(cluster, server.Branch, server.Replay.ReplayedAt(cluster.Now));

    private Task JumpClockAsync()
    {
        var application = cluster.Applications[cluster.Random.Next(cluster.Applications.Count)];
        application.Clock.Skew += TimeSpan.FromMinutes(40 * (cluster.Random.NextDouble() - 0.5));
        cluster.Trace($"the wall clock of {application.Name} jumps: it is off by {application.Clock.Skew}");
        return Task.CompletedTask;
    }

    /// <summary>
    /// Writes records that are not commits, such as those of an open transaction. They wait until other records are flushed.
    /// </summary>
    private async Task MakeNoiseAsync(TimeSpan interval)
    {
        while (true)
        {
            await cluster.PassAsync(TimeSpan.FromSeconds(Distribution.Exponential(cluster.Random, interval.TotalSeconds)))
                .ConfigureAwait(false);
            if (IsCalm) return;

            // A primary that applications cannot reach, or that history continued without, writes too: its own background work.
            foreach (var server in cluster.Servers.Where(s => s.IsPrimary && s.IsUp)) server.Append((ulong)cluster.Random.Next(3, 200) * 8);
        }
    }

    /// <summary>The WAL writer, which flushes asynchronous commits.</summary>
    private async Task WriteOutAsync()
    {
        while (!cluster.IsOver)
        {
            await cluster.PassAsync(TimeSpan.FromSeconds(0.05 + (0.5 * cluster.Random.NextDouble()))).ConfigureAwait(false);
            foreach (var server in cluster.Servers.Where(s => s.IsPrimary && s.IsUp)) cluster.Flush(server, server.AsynchronousEnd);
        }
    }

    private void Crash(SimulatedServer server)
    {
        server.EndEpoch(cluster.Now);
        server.IsUp = false;
        if (server.IsPrimary) cluster.DisturbPrimary();
        if (server.IsPrimary && server.Branch == cluster.Current) FenceOff();
        if (!server.IsPrimary)
        {
            server.Replay.CutOff(cluster.Now);
            server.IsStreaming = false;
        }
        else
        {
            foreach (var standby in cluster.Servers.Where(s => !s.IsPrimary)) standby.Replay.CutOff(cluster.Now);
        }
    }

    /// <summary>
    /// While no primary exists, no process may accept a former one. This is the responsibility of the software that promotes, not of a
    /// router.
    /// </summary>
    private void FenceOff()
    {
        foreach (var former in cluster.Servers.Where(s => s.IsPrimary && s.IsUp && s.Branch != cluster.Current))
        {
            former.EndEpoch(cluster.Now);
            former.IsUp = false;
        }
    }

    /// <param name="server">The server that restarts.</param>
    /// <param name="isCrash">Whether it had crashed.</param>
    /// <param name="to">
    /// The position to which a primary's storage was rolled back, or <see langword="null"/> if it has what it had flushed.
    /// </param>
    private void Restart(SimulatedServer server, bool isCrash = true, ulong? to = null)
    {
        server.EndEpoch(cluster.Now);
        server.IsUp = true;
        if (isCrash) server.StatisticsResetAt = cluster.Begin();
        if (server.IsPrimary)
        {
            // What was not flushed is lost, and later records take its positions.
            var at = to ?? server.Flushed;
            server.RollBack(cluster.Fork(server.Branch, at, isPromotion: false, server.EndedAt), at);
            cluster.Trace($"{server.Name} is up again, at {server.Flushed:X}");
            foreach (var standby in cluster.Servers.Where(s => !s.IsPrimary && s.IsUp && s.IsStreaming && s.Branch == server.Branch.Parent))
            {
                if (standby.Replay.ReceivedAt(cluster.Now) <= at) cluster.Follow(standby, server);
                else standby.IsStreaming = false;
            }

            return;
        }

        if (cluster.Shape.RollsBackStorage && IsAhead(server) && cluster.Primary is { } rolledBack)
        {
            Rebuild(server, rolledBack);
            return;
        }

        // Recovery begins at a restart point, and connections are accepted from there on.
        var replayed = server.Replay.ReplayedAt(cluster.Now);
        var back = (ulong)(cluster.Random.NextDouble() * cluster.Random.NextDouble() * 4000);
        var floor = Math.Max(cluster.Shape.Origin, server.Branch.ForkAt);
        var replayedTo = replayed > floor + back ? replayed - back : Math.Min(floor, replayed);
        server.Replay.RestartAt(replayedTo, cluster.Now);
        WriteControlFile(server);
        cluster.Trace($"{server.Name} is up again, at {replayedTo:X} after {replayed:X}");
        server.Replay.Add(replayed, cluster.Now, cluster.Now + Some(0.1).Ticks);
        if (cluster.Primary is { } primary && primary.Branch.Contains(server.Branch, replayed)) cluster.Follow(server, primary);
    }

    private SimulatedServer Promote(SimulatedServer server)
    {
        // A standby that follows a new timeline, but has not reached its beginning, is still on the previous timeline.
        var (branch, at) = (server.Branch, server.Replay.ReceivedAt(cluster.Now));
        while (at < branch.ForkAt) branch = branch.Parent!;
        server.BecomePrimary(cluster.Fork(branch, at, isPromotion: true, cluster.Now), at);
        server.IsUp = true;

        // The end of recovery is a record of the new timeline. A standby's control file can show the new timeline only from there on.
        if (cluster.Shape.HidesTimelines) server.FlushTo(server.Append(120));
        cluster.Trace($"{server.Name} is promoted at {at:X}, to timeline {server.Branch.Timeline}");
        return server;
    }

    private void Rebuild(SimulatedServer server, SimulatedServer primary)
    {
        server.EndEpoch(cluster.Now);
        if (server.IsPrimary) cluster.DisturbPrimary();
        server.IsUp = true;
        server.IsReachable = true;
        server.StartedAt = server.StatisticsResetAt = cluster.Begin();
        server.BecomeStandby(primary.Branch, primary.Flushed, cluster.Now);
        WriteControlFile(server);
        cluster.Follow(server, primary);
        cluster.Trace($"{server.Name} is a new copy of {primary.Name}");
    }
}
