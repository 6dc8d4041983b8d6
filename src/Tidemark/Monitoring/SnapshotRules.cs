using System.Collections.Immutable;
using NpgsqlTypes;

namespace Tidemark;

/// <summary>
/// Derives the next snapshot from the previous one and a probe result: which node is the primary, and which nodes belong to the cluster.
/// Pure.
/// </summary>
internal static class SnapshotRules
{
    // Maximum number of other epochs that are recorded for one name. If more servers than this are behind a balancer, they still count as
    // several.
    private const int MaxOtherEpochs = 16;

    private static readonly NpgsqlLogSequenceNumber Anywhere = new(ulong.MaxValue);

    /// <summary>Maximum staleness of a replica for which a read checks, in its own round trip, whether the replica has caught up.</summary>
    private static readonly TimeSpan KeepUpWindow = TimeSpan.FromMilliseconds(250);

    /// <summary>Returns the snapshot after one node has responded or failed to respond.</summary>
    /// <param name="before">The previous snapshot.</param>
    /// <param name="index">The index of the probed node.</param>
    /// <param name="answer">The response of the node.</param>
    /// <param name="probeNumber">The number of the probe.</param>
    /// <param name="sentAt">Monotonic time before the probe was sent.</param>
    /// <param name="ticksPerSecond">Ticks per second of the monotonic clock.</param>
    /// <param name="receivedAt">Monotonic time at which the response had arrived.</param>
    public static ClusterSnapshot After(
        ClusterSnapshot before, int index, ProbeAnswer answer, long probeNumber, long sentAt, long ticksPerSecond, long? receivedAt = null)
    {
        var was = before.Nodes[index];
        var state = Observe(before, was, answer, probeNumber, sentAt, ticksPerSecond) with { ReceivedAt = receivedAt ?? sentAt };
        if (answer.Failure is null)
        {
            state = state with
            {
                Earlier = answer.Epoch == was.Epoch && state.ProvenTimeline == was.ProvenTimeline ? was.Probed : default,
                Probed = new ReplayedBy(answer.Lsn, state.ReceivedAt),
            };
        }

        return Compare(before.Nodes.SetItem(index, state), before, index);
    }

    /// <summary>
    /// Returns the snapshot after traffic observed a position of a node. A sample of another epoch, role or timeline changes no position;
    /// it requires a probe.
    /// </summary>
    /// <param name="before">The previous snapshot.</param>
    /// <param name="index">The index of the node.</param>
    /// <param name="sample">The observed position.</param>
    /// <param name="probesSent">Number of probes sent so far.</param>
    /// <param name="receivedAt">Monotonic time at which the response had arrived, or later.</param>
    /// <param name="ticksPerSecond">Ticks per second of the monotonic clock.</param>
    /// <param name="isNews"><see langword="true"/> if the node should be probed.</param>
    public static ClusterSnapshot With(
        ClusterSnapshot before, int index, in SampledPosition sample, long probesSent, long receivedAt, long ticksPerSecond,
            out bool isNews)
    {
        var node = before.Nodes[index];
        isNews = false;
        if (!Answered(node) || sample.Epoch.IsUnknown) return before;
        if (sample.Epoch != node.Epoch)
        {
            foreach (var other in node.Others)
            {
                if (other.Epoch != sample.Epoch) continue;

                // The node had left this epoch for the current one, and the epoch was active after the current one was observed.
                var isAlive = other.WasBefore && sample.SentAt >= node.ReceivedAt && !node.HasSeveralServers;
                return isAlive ? Compare(before.Nodes.SetItem(index, SeveralServers(node)), before, answered: -1) : before;
            }

            isNews = true;
            return before.With(
                node with { Others = AddOther(node.Others, new OtherEpoch(sample.Epoch, sample.SystemIdentifier, probesSent)) });
        }

        isNews = sample.IsInRecovery != (node.ReportedRole == ReportedRole.Replica)
            || (sample.Timeline != 0 && node.Timeline != 0 && sample.Timeline != node.Timeline);
        if (isNews || node.HidesPositions || sample.Lsn <= node.Lsn || (!sample.IsInRecovery && sample.SentAt < node.SampledAt))
            return before;

        var asOf = sample.IsInRecovery ? before.History.ReachedAt(FollowedBy(node), sample.Lsn) : null;
        var state = node with
        {
            Lsn = sample.Lsn,
            InsertLsn = sample.InsertLsn > node.InsertLsn ? sample.InsertLsn : node.InsertLsn,
            CompleteAsOf = asOf ?? node.CompleteAsOf,
            KeepsUp = node.KeepsUp || KeepsUpSince(asOf, sample.SentAt, ticksPerSecond),
            ReplayRate = RateOf(before, node, sample.Lsn, Seconds(sample.SentAt - node.SampledAt, ticksPerSecond)),
            SampledAt = Math.Max(sample.SentAt, node.SampledAt),
            ReceivedAt = receivedAt,
        };
        return Compare(before.Nodes.SetItem(index, state), before, index);
    }

    private static NodeState Observe(ClusterSnapshot before, NodeState node, ProbeAnswer answer, long probeNumber, long sentAt,
        long ticksPerSecond)
    {
        // A primary that has no connection slot left for the monitor still has its pooled connections. One refusal must not end all writes.
        // Each write connection reports itself whether its server is a standby.
        if (answer is { IsRefusal: true } && node.ReportedRole == ReportedRole.Primary) return node with { Failure = answer.Failure };

        // The last position and start time are kept for display, but an unreachable node serves nothing.
        if (answer.Failure is not null)
            return node with { ReportedRole = ReportedRole.NoAnswer, Failure = answer.Failure, KeepsUp = false };

        // A WAL receiver that is briefly gone shows no timeline. No new WAL is replayed meanwhile, so the last timeline still applies.
        var isSameEpoch = answer.Epoch == node.Epoch;
        var timeline = answer.Timeline != 0 || !isSameEpoch ? answer.Timeline : node.Timeline;
        var others = OthersAfter(node, answer, probeNumber, out var hasSeveral);

        // If the timeline is hidden, the node may have moved to a later one in the meantime.
        var isSameTimeline = answer.Timeline != 0 || answer.LeastTimeline == node.LeastTimeline;
        var state = node with
        {
            ReportedRole = answer.IsAurora ? ReportedRole.Aurora : answer.IsInRecovery ? ReportedRole.Replica : ReportedRole.Primary,
            Failure = null,
            ProbeNumber = probeNumber,
            Epoch = answer.Epoch,
            Connection = answer.Connection,
            Timeline = timeline,
            SeesTimeline = answer.SeesTimeline,
            LeastTimeline = answer.LeastTimeline != 0 || !isSameEpoch ? answer.LeastTimeline : node.LeastTimeline,
            HidesPositions = answer.HidesPositions,
            Lsn = answer.Lsn,
            InsertLsn = answer.InsertLsn,
            Pages = answer.Pages,
            // A history file is read once per timeline, possibly before the node is found to be the primary.
            Forks = answer.Forks ?? (timeline == node.Timeline && !answer.IsInRecovery ? node.Forks : null),
            SystemIdentifier = answer.SystemIdentifier,
            IsPooled = answer.IsPooled,
            ServerVersion = answer.ServerVersion,
            SampledAt = sentAt,
            IsDiverged = node.IsDiverged && isSameTimeline,
            Others = others,
        };
        if (hasSeveral) state = SeveralServers(state);

        // If any node was ever promoted, a node that shows no timeline may have been left behind on an old one.
        var followed = timeline == 0 && answer.SeesTimeline && before.LatestTimeline > 1 ? 0 : FollowedBy(state);
        var asOf = answer is { IsInRecovery: true, HidesPositions: false } ? before.History.ReachedAt(followed, answer.Lsn) : null;

        // Traffic may have returned a later position, sampled after this probe was sent.
        var isOutrun = isSameEpoch && answer.IsInRecovery && node.ReportedRole == ReportedRole.Replica && node.SampledAt > sentAt
            && node.Lsn > answer.Lsn && timeline == node.Timeline;
        return isOutrun ? state with { Lsn = node.Lsn, SampledAt = node.SampledAt } : state with
        {
            CompleteAsOf = asOf,
            ReplayRate = !answer.IsInRecovery || node.ReportedRole != ReportedRole.Replica || !isSameEpoch ? null
                : RateOf(before, node, answer.Lsn, Seconds(sentAt - node.SampledAt, ticksPerSecond)),
            KeepsUp = KeepsUpSince(asOf, sentAt, ticksPerSecond),
        };
    }

    private static uint FollowedBy(NodeState node) => node.ProvenTimeline;

    private static TimeSpan Seconds(long ticks, long ticksPerSecond) => TimeSpan.FromSeconds((double)ticks / ticksPerSecond);

    private static bool KeepsUpSince(long? asOf, long sentAt, long ticksPerSecond) =>
        asOf is { } reached && Seconds(sentAt - reached, ticksPerSecond) <= KeepUpWindow;

    /// <summary>
    /// Returns the replay rate, measured over a period in which the replica was behind throughout. Otherwise returns the last measured
    /// rate.
    /// </summary>
    private static double? RateOf(ClusterSnapshot before, NodeState node, NpgsqlLogSequenceNumber lsn, TimeSpan elapsed)
    {
        if (node.ReportedRole != ReportedRole.Replica) return null;
        var wasBusy = before.Primary is { } primary && lsn < primary.Lsn && lsn > node.Lsn && elapsed > TimeSpan.Zero;
        return wasBusy ? (lsn - node.Lsn) / elapsed.TotalSeconds : node.ReplayRate;
    }

    /// <summary>
    /// A server never returns to an earlier epoch. If a name responds with an earlier epoch again, it resolves to two running servers. The
    /// same is true if it still responds with the current epoch to a probe that was sent after another epoch was recorded.
    /// </summary>
    private static ImmutableArray<OtherEpoch> OthersAfter(NodeState node, ProbeAnswer answer, long probeNumber, out bool hasSeveral)
    {
        hasSeveral = node.HasSeveralServers;
        if (node.Epoch.IsUnknown || answer.Epoch.IsUnknown) return node.Others;
        var others = node.Others;
        hasSeveral |= answer.Epoch == node.Epoch
            ? others.Any(other => !other.WasBefore && other.ProbesSent < probeNumber)
            : others.Any(other => other.Epoch == answer.Epoch && other.WasBefore);
        if (answer.Epoch != node.Epoch)
        {
            others = AddOther(
                [.. others.Where(other => other.Epoch != answer.Epoch && other.Epoch != node.Epoch)],
                new OtherEpoch(node.Epoch, node.SystemIdentifier, node.ProbeNumber, WasBefore: true));
        }

        return others;
    }

    private static NodeState SeveralServers(NodeState node) => node with
    {
        HasSeveralServers = true,
        OtherIdentifier = node.OtherIdentifier != 0 ? node.OtherIdentifier
            : node.Others.FirstOrDefault(other => other.SystemIdentifier != 0 && other.SystemIdentifier != node.SystemIdentifier)
                .SystemIdentifier,
    };

    private static ImmutableArray<OtherEpoch> AddOther(ImmutableArray<OtherEpoch> others, OtherEpoch added) =>
        others.Length < MaxOtherEpochs ? others.Add(added) : others.RemoveAt(0).Add(added);

    /// <summary>
    /// Returns the system identifier of most nodes or, if the nodes disagree, that of the only primary. Returns 0 if it cannot be
    /// determined. Nodes that disagree are then all excluded, because writing to the wrong cluster cannot be undone.
    /// </summary>
    private static ulong FindCluster(ImmutableArray<NodeState> nodes)
    {
        if (nodes.Any(n => n.ReportedRole == ReportedRole.NotProbed)) return 0;
        var known = nodes.Where(Answered).ToArray();
        var groups = known.GroupBy(n => n.SystemIdentifier).OrderByDescending(g => g.Count()).ToArray();
        if (groups.Length == 0) return 0;
        if (groups.Length == 1 || groups[0].Count() > groups[1].Count()) return groups[0].Key;

        var primaries = known.Where(n => n.ReportedRole == ReportedRole.Primary).ToArray();
        return primaries.Length == 1 ? primaries[0].SystemIdentifier : 0;
    }

    /// <summary>
    /// Determines the system identifier of the cluster. It is settled once most of the configured nodes have responded with it. Until then,
    /// the first response decides. If most nodes then have another identifier, it is unknown where earlier writes went, and all nodes are
    /// excluded.
    /// </summary>
    private static (ulong Identifier, bool IsSettled, ulong Rival) Identify(ClusterSnapshot before, ImmutableArray<NodeState> nodes)
    {
        if (before.IsIdentitySettled || before.RivalIdentifier != 0)
            return (before.SystemIdentifier, before.IsIdentitySettled, before.RivalIdentifier);
        var majority = 0UL;
        foreach (var node in nodes)
        {
            var agreeing = 0;
            foreach (var other in nodes)
                if (HasAnswered(other) && other.SystemIdentifier == node.SystemIdentifier) agreeing++;
            if (HasAnswered(node) && agreeing * 2 > nodes.Length) majority = node.SystemIdentifier;
        }

        var identifier = before.SystemIdentifier != 0 ? before.SystemIdentifier : majority != 0 ? majority : FindCluster(nodes);
        return majority == 0 ? (identifier, false, 0) : (identifier, identifier == majority, identifier == majority ? 0 : majority);
    }

    private static ClusterSnapshot Compare(ImmutableArray<NodeState> nodes, ClusterSnapshot before, int answered)
    {
        var (identifier, isSettled, rival) = Identify(before, nodes);

        // Until the identifier is determined, nodes that agree with each other are used. As soon as two differ, all are excluded.
        var disagree = rival != 0 || (identifier == 0 && nodes.Where(Answered).Select(n => n.SystemIdentifier).Distinct().Skip(1).Any());
        bool IsForeign(NodeState n) =>
            Answered(n) && (disagree || n.OtherIdentifier != 0 || (identifier != 0 && n.SystemIdentifier != identifier));

        // Keep a timeline only if it was certain at that time that it belongs to this cluster.
        var remembered = before.SystemIdentifier == 0 ? 0 : before.LatestTimeline;

        // Replicas count too: a replica that follows a later timeline proves a promotion, even if the new primary cannot be reached.
        var latest = nodes.Where(n => Answered(n) && !IsForeign(n)).Select(n => Math.Max(n.Timeline, n.LeastTimeline)).Append(remembered)
            .Max();
        var current = nodes.Where(n => n.ReportedRole == ReportedRole.Primary && !IsForeign(n) && n.Timeline == latest).ToArray();

        // Only a sample of the primary itself extends its history. A response of another node adds nothing to it.
        var primary = current.Length == 1 ? current[0] : null;
        var isSample = primary is { HidesPositions: false, Failure: null } && primary.Index == answered
            && primary.SampledAt >= before.Nodes[answered].SampledAt;
        var history = isSample ? before.History.Add(primary!.SampledAt, primary.Timeline, primary.Lsn) : before.History;
        var chain = primary is null ? before.Chain : Extend(before, primary);

        // For a sample of the primary itself, everything processed before it is certain to have arrived before the primary was probed. For
        // an earlier sample, only the clock shows the order.
        var askedAt = isSample ? primary!.SampledAt : (primary?.SampledAt ?? 0) - 1;
        if (primary is { HidesPositions: false, Failure: null } && nodes.Any(n => IsNewOf(n, primary, askedAt)))
            nodes = [.. nodes.Select(n => IsNewOf(n, primary, askedAt)
                ? n with { IsDiverged = HasDiverged(n, primary, askedAt), DivergedIn = n.Epoch } : n)];

        ConcludedStatus Evaluate(NodeState node) => node.ReportedRole switch
        {
            ReportedRole.NotProbed => ConcludedStatus.NotProbed,
            ReportedRole.NoAnswer => ConcludedStatus.Unreachable,
            ReportedRole.Aurora => ConcludedStatus.Aurora,
            _ when IsForeign(node) => ConcludedStatus.ForeignCluster,
            ReportedRole.Replica when IsLeftBehind(node, chain, latest) => ConcludedStatus.LeftBehind,
            ReportedRole.Replica => node.IsDiverged ? ConcludedStatus.Diverged : ConcludedStatus.Replica,
            _ when node.Timeline < latest => ConcludedStatus.SupersededPrimary,
            _ when current.Length > 1 => ConcludedStatus.RivalPrimary,
            _ => ConcludedStatus.Primary,
        };

        NodeState Placed(NodeState n) => n.Index == answered
            ? n with { Status = Evaluate(n), LatestTimeline = latest, PrimaryEpoch = chain.PrimaryEpoch }
            : n with { Status = Evaluate(n), LatestTimeline = latest };

        // After a rollback, the timeline restarts at the position of the primary.
        var furthest = primary is null || !before.Furthest.IsMissingFrom(primary) ? before.Furthest : default;
        if (answered >= 0 && nodes[answered] is { ReportedRole: ReportedRole.Replica, HidesPositions: false, IsDiverged: false } replica
            && identifier != 0 && !IsForeign(replica))
        {
            furthest = furthest.With(replica);
        }

        return new ClusterSnapshot
        {
            Nodes = [.. nodes.Select(Placed)],
            PrimaryIndex = primary?.Index ?? -1,
            SystemIdentifier = identifier,
            ExpectedIdentifier = before.ExpectedIdentifier,
            IsIdentitySettled = isSettled,
            RivalIdentifier = rival,
            LatestTimeline = latest,
            History = history,
            Chain = chain,
            Furthest = furthest,
        };
    }

    /// <summary>
    /// Returns whether a replica has replayed WAL that is not part of the cluster's history. It can never follow a later timeline, but
    /// stays up and responds. Reads there would return lost writes again and again.
    /// </summary>
    private static bool IsLeftBehind(NodeState replica, TimelineChain chain, uint latest) =>
        replica.Timeline != 0 && replica.Timeline < latest
        && chain.SurvivalOf(new KnownPosition(new WalPosition(replica.Timeline, replica.Lsn), chain.PrimaryEpoch),
            latest) == Survival.Lost;

    /// <summary>
    /// Returns whether a replica holds data that the primary never had. A standby is never ahead of its primary. The replica has diverged
    /// if its position arrived before the primary was probed and exceeds everything that the primary had inserted by then. Possible causes
    /// are storage that was rolled back, or two manual promotions. Both nodes are probed at the same time, and the replica may respond
    /// first every time, so its previous response counts too.
    /// </summary>
    private static bool HasDiverged(NodeState replica, NodeState primary, long askedAt) =>
        replica.ReportedRole == ReportedRole.Replica && replica.ProvenTimeline == primary.Timeline
        && replica.SystemIdentifier == primary.SystemIdentifier
        && primary.InsertLsn != default
        && (IsBeyond(new ReplayedBy(replica.Lsn, replica.ReceivedAt), primary, askedAt) || IsBeyond(replica.Probed, primary, askedAt)
            || IsBeyond(replica.Earlier, primary, askedAt));

    /// <summary>
    /// Returns whether the comparison changes the state of the replica. Either it has diverged, or it diverged in an earlier epoch and now,
    /// probed before the primary, has not.
    /// </summary>
    private static bool IsNewOf(NodeState replica, NodeState primary, long askedAt) =>
        HasDiverged(replica, primary, askedAt)
            ? !replica.IsDiverged || replica.DivergedIn != replica.Epoch
            : replica is { IsDiverged: true, ReportedRole: ReportedRole.Replica } && replica.DivergedIn != replica.Epoch
                && replica.ReceivedAt <= askedAt;

    // A standby whose recovery started just after a page header is not ahead of a primary at that position: see WalPages.
    private static bool IsBeyond(in ReplayedBy replayed, NodeState primary, long askedAt) =>
        replayed.At <= askedAt && primary.Pages.BeforeHeader(replayed.Lsn) > primary.InsertLsn;

    /// <summary>
    /// Records where the history was left: by a promotion, or by a crash of the primary that lost WAL it had not flushed.
    /// </summary>
    private static TimelineChain Extend(ClusterSnapshot before, NodeState primary)
    {
        var chain = before.Chain;
        var was = before.Nodes[primary.Index];
        var (lsn, insert) = primary.HidesPositions ? (Anywhere, Anywhere) : (primary.Lsn, primary.InsertLsn);

        // Start from the last sample of a primary, because a replica may have reported the new timeline before the new primary did.
        var parent = before.History.LatestTimeline;
        if (parent != 0 && primary.Timeline > parent)
        {
            // The promoted node had replayed at least its last observed position. Its own timeline began before its first observed
            // position.
            var atLeast = was is { ReportedRole: ReportedRole.Replica } && was.ProvenTimeline == parent ? was.Lsn : default;
            chain = chain.With(new Fork(parent, primary.Timeline, atLeast, lsn));
        }
        else if (HasCrashed(was, primary))
        {
            // Flushed WAL survives a crash. If the primary is before that position, or before the position of a replica, its storage was
            // rolled back, and it is unknown how far.
            var isRollback = insert < was.Lsn || before.Furthest.IsMissingFrom(primary);
            chain = chain.WithCrash(primary.Timeline, isRollback ? default : was.Lsn, insert, isRollback);
        }
        else if (was.Epoch.IsUnknown && before.Furthest.IsMissingFrom(primary))
        {
            // This process observes the primary for the first time, but has observed a replica that had more WAL.
            chain = chain.WithCrash(primary.Timeline, default, insert, isRollback: true);
        }

        // Use only the primary's own history file. A rival, or a node of another cluster, has a different history.
        return primary.Forks is { } forks && (!ReferenceEquals(forks, was.Forks) || before.PrimaryIndex != primary.Index)
            ? chain.With(forks) : chain;
    }

    /// <summary>
    /// Returns whether the primary has crashed. The server discards its statistics when it recovers from a crash, and keeps them across a
    /// clean restart. If the monitor's own physical connection survived a reset, an administrator had requested it.
    /// </summary>
    private static bool HasCrashed(NodeState was, NodeState primary)
    {
        if (was.Epoch.IsUnknown || was.Timeline != primary.Timeline || primary.Epoch.IsSameButForCleanRestarts(was.Epoch)) return false;
        var isSameConnection = !primary.IsPooled && primary.Connection != 0 && primary.Connection == was.Connection;
        return !isSameConnection || primary.Epoch.StartedAt != was.Epoch.StartedAt;
    }

    private static bool Answered(NodeState node) => node.ReportedRole is ReportedRole.Primary or ReportedRole.Replica;

    /// <summary>
    /// Returns whether the node has ever reported its system identifier. The identifier stays valid while the node does not respond.
    /// </summary>
    private static bool HasAnswered(NodeState node) =>
        node.SystemIdentifier != 0 && node.ReportedRole is ReportedRole.Primary or ReportedRole.Replica or ReportedRole.NoAnswer;
}
