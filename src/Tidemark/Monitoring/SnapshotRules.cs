using System.Collections.Immutable;
using NpgsqlTypes;

namespace Tidemark;

/// <summary>How a snapshot follows from the one before and an answer: who is the primary, who belongs to the cluster. Pure.</summary>
internal static class SnapshotRules
{
    // Of one name: more servers than this behind a balancer are still several.
    private const int MaxOtherEpochs = 16;

    private static readonly NpgsqlLogSequenceNumber Anywhere = new(ulong.MaxValue);

    /// <summary>How far behind a replica may be and still be asked, in the read's own round trip, whether it has caught up.</summary>
    private static readonly TimeSpan KeepUpWindow = TimeSpan.FromMilliseconds(250);

    /// <summary>The snapshot after one node has answered, or has failed to.</summary>
    /// <param name="before">The snapshot until now.</param>
    /// <param name="index">The node that was asked.</param>
    /// <param name="answer">Its answer.</param>
    /// <param name="probeNumber">The number of the probe.</param>
    /// <param name="sentAt">Monotonic time before the probe was sent.</param>
    /// <param name="ticksPerSecond">The unit of monotonic time.</param>
    /// <param name="receivedAt">Monotonic time when the answer had arrived.</param>
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
    /// The snapshot after the traffic itself has shown a position of a node. A fact of another epoch, role or timeline moves nothing: it is
    /// a reason to probe.
    /// </summary>
    /// <param name="before">The snapshot until now.</param>
    /// <param name="index">The node.</param>
    /// <param name="sample">What was shown.</param>
    /// <param name="probesSent">How many probes were sent until now.</param>
    /// <param name="receivedAt">Monotonic time when the answer had arrived, or later.</param>
    /// <param name="ticksPerSecond">The unit of monotonic time.</param>
    /// <param name="isNews">The node should be probed.</param>
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

                // It was left for the present epoch, and is alive after that was seen.
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
        // A primary that has no connection left for the monitor still has those in the pools: one refusal must not end all writes. Each
        // write
        // connection says for itself whether its server is a standby.
        if (answer is { IsRefusal: true } && node.ReportedRole == ReportedRole.Primary) return node with { Failure = answer.Failure };

        // What was known is kept for the eye (last position, last start), but an unreachable node serves nothing.
        if (answer.Failure is not null)
            return node with { ReportedRole = ReportedRole.NoAnswer, Failure = answer.Failure, KeepsUp = false };

        // A receiver that is gone for a moment shows no timeline; nothing new is replayed meanwhile, so the last one stands.
        var isSameEpoch = answer.Epoch == node.Epoch;
        var timeline = answer.Timeline != 0 || !isSameEpoch ? answer.Timeline : node.Timeline;
        var others = OthersAfter(node, answer, probeNumber, out var hasSeveral);

        // Where the timeline is hidden, the node may have gone on to a later one all the while.
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
            // A history file is read once for each timeline, perhaps before the node is known to be the primary.
            Forks = answer.Forks ?? (timeline == node.Timeline && !answer.IsInRecovery ? node.Forks : null),
            SystemIdentifier = answer.SystemIdentifier,
            IsPooled = answer.IsPooled,
            ServerVersion = answer.ServerVersion,
            SampledAt = sentAt,
            IsDiverged = node.IsDiverged && isSameTimeline,
            Others = others,
        };
        if (hasSeveral) state = SeveralServers(state);

        // One that shows no timeline may have been left behind on a dead one, if anybody was ever promoted.
        var followed = timeline == 0 && answer.SeesTimeline && before.LatestTimeline > 1 ? 0 : FollowedBy(state);
        var asOf = answer is { IsInRecovery: true, HidesPositions: false } ? before.History.ReachedAt(followed, answer.Lsn) : null;

        // Traffic may have shown more, sampled later than this probe was sent.
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
    /// How fast the replica replays, measured over a time in which it was behind from beginning to end; the last such measure otherwise.
    /// </summary>
    private static double? RateOf(ClusterSnapshot before, NodeState node, NpgsqlLogSequenceNumber lsn, TimeSpan elapsed)
    {
        if (node.ReportedRole != ReportedRole.Replica) return null;
        var wasBusy = before.Primary is { } primary && lsn < primary.Lsn && lsn > node.Lsn && elapsed > TimeSpan.Zero;
        return wasBusy ? (lsn - node.Lsn) / elapsed.TotalSeconds : node.ReplayRate;
    }

    /// <summary>
    /// No server returns to an epoch. A name that answers with one again, after another was seen, leads to two servers that are alive at
    /// once. So does one that
    /// still answers with the present epoch to a probe sent after another was noted.
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
    /// The identity of the cluster: that of most nodes, or of the only primary among nodes that disagree. Zero while it cannot be told,
    /// and nodes that disagree are then all refused: writing to the wrong cluster cannot be undone.
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
    /// The identity is settled once most of the configured nodes have answered with it. Until then what answers first is taken for the
    /// cluster; if most nodes then
    /// turn out to be of another, nobody can tell what was written where, and everything is refused.
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

        // While the identity is open, nodes that agree with one another are believed; as soon as two differ, none is.
        var disagree = rival != 0 || (identifier == 0 && nodes.Where(Answered).Select(n => n.SystemIdentifier).Distinct().Skip(1).Any());
        bool IsForeign(NodeState n) =>
            Answered(n) && (disagree || n.OtherIdentifier != 0 || (identifier != 0 && n.SystemIdentifier != identifier));

        // A timeline is remembered only from where it was certain that it is this cluster's.
        var remembered = before.SystemIdentifier == 0 ? 0 : before.LatestTimeline;

        // A replica has a say too: that it follows a later timeline tells of a promotion, even while the new primary cannot be reached.
        var latest = nodes.Where(n => Answered(n) && !IsForeign(n)).Select(n => Math.Max(n.Timeline, n.LeastTimeline)).Append(remembered)
            .Max();
        var current = nodes.Where(n => n.ReportedRole == ReportedRole.Primary && !IsForeign(n) && n.Timeline == latest).ToArray();

        // Only a sample of its own moves the primary's history on: an answer of another node says nothing new about it.
        var primary = current.Length == 1 ? current[0] : null;
        var isSample = primary is { HidesPositions: false, Failure: null } && primary.Index == answered
            && primary.SampledAt >= before.Nodes[answered].SampledAt;
        var history = isSample ? before.History.Add(primary!.SampledAt, primary.Timeline, primary.Lsn) : before.History;
        var chain = primary is null ? before.Chain : Extend(before, primary);

        // Of its own sample it is certain that what came before it was known before it was asked; of an earlier one only the clock tells.
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
            ReportedRole.Replica =>
                IsLeftBehind(node, chain, latest) ? ConcludedStatus.LeftBehind : node.IsDiverged
                ? ConcludedStatus.Diverged : ConcludedStatus.Replica,
            _ when node.Timeline < latest => ConcludedStatus.SupersededPrimary,
            _ when current.Length > 1 => ConcludedStatus.RivalPrimary,
            _ => ConcludedStatus.Primary,
        };

        NodeState Placed(NodeState n) => n.Index == answered
            ? n with { Status = Evaluate(n), LatestTimeline = latest, PrimaryEpoch = chain.PrimaryEpoch }
            : n with { Status = Evaluate(n), LatestTimeline = latest };

        // After a rollback the timeline begins again at what the primary has.
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
    /// Whether a replica has replayed what history went on without. It can follow no later timeline any more, and stays up and answers all
    /// the same; whoever read
    /// from it would see lost writes again and again.
    /// </summary>
    private static bool IsLeftBehind(NodeState replica, TimelineChain chain, uint latest) =>
        replica.Timeline != 0 && replica.Timeline < latest
        && chain.SurvivalOf(new LearnedPosition(new WalPosition(replica.Timeline, replica.Lsn), chain.PrimaryEpoch),
            latest) == Survival.Lost;

    /// <summary>
    /// A standby never passes its primary. One whose position had arrived here before the primary was asked, and is beyond all that the
    /// primary had inserted
    /// then, holds other data: a storage that was rolled back, or two promotions by hand. Both are asked at the same time, and a replica
    /// may answer first each
    /// time: the answer before counts too.
    /// </summary>
    private static bool HasDiverged(NodeState replica, NodeState primary, long askedAt) =>
        replica.ReportedRole == ReportedRole.Replica && replica.ProvenTimeline == primary.Timeline
        && replica.SystemIdentifier == primary.SystemIdentifier
        && primary.InsertLsn != default
        && (IsBeyond(new ReplayedBy(replica.Lsn, replica.ReceivedAt), primary, askedAt) || IsBeyond(replica.Probed, primary, askedAt)
            || IsBeyond(replica.Earlier, primary, askedAt));

    /// <summary>
    /// The comparison says something new of the replica: it has diverged, or one that had diverged in an earlier epoch, and was asked
    /// before the primary, has not.
    /// </summary>
    private static bool IsNewOf(NodeState replica, NodeState primary, long askedAt) =>
        HasDiverged(replica, primary, askedAt)
            ? !replica.IsDiverged || replica.DivergedIn != replica.Epoch
            : replica is { IsDiverged: true, ReportedRole: ReportedRole.Replica } && replica.DivergedIn != replica.Epoch
                && replica.ReceivedAt <= askedAt;

    // A standby whose recovery began behind a page header has come no further than a primary that stands there: see WalPages.
    private static bool IsBeyond(in ReplayedBy replayed, NodeState primary, long askedAt) =>
        replayed.At <= askedAt && primary.Pages.BeforeHeader(replayed.Lsn) > primary.InsertLsn;

    /// <summary>Notes where history was left: by a promotion, or by a crash of the primary that lost what it had not flushed.</summary>
    private static TimelineChain Extend(ClusterSnapshot before, NodeState primary)
    {
        var chain = before.Chain;
        var was = before.Nodes[primary.Index];
        var (lsn, insert) = primary.HidesPositions ? (Anywhere, Anywhere) : (primary.Lsn, primary.InsertLsn);

        // From where a primary was last seen: a replica may have told of the new timeline before the new primary did.
        var parent = before.History.LatestTimeline;
        if (parent != 0 && primary.Timeline > parent)
        {
            // The promoted node had replayed what it was last seen with, and its own timeline began before what it is first seen with.
            var atLeast = was is { ReportedRole: ReportedRole.Replica } && was.ProvenTimeline == parent ? was.Lsn : default;
            chain = chain.With(new Fork(parent, primary.Timeline, atLeast, lsn));
        }
        else if (HasCrashed(was, primary))
        {
            // What was flushed has survived it. If the primary is back before that, or before what a replica had, its storage was rolled
            // back, and nobody can
            // tell how far.
            var isRollback = insert < was.Lsn || before.Furthest.IsMissingFrom(primary);
            chain = chain.WithCrash(primary.Timeline, isRollback ? default : was.Lsn, insert, isRollback);
        }
        else if (was.Epoch.IsUnknown && before.Furthest.IsMissingFrom(primary))
        {
            // This process has never seen the primary before, but a replica that had more.
            chain = chain.WithCrash(primary.Timeline, default, insert, isRollback: true);
        }

        // Only the primary's own: a rival, or a node of another cluster, has a history of its own.
        return primary.Forks is { } forks && (!ReferenceEquals(forks, was.Forks) || before.PrimaryIndex != primary.Index)
            ? chain.With(forks) : chain;
    }

    /// <summary>
    /// The server discards its statistics when it recovers from a crash, and keeps them over a clean restart. A reset that the monitor's
    /// own physical connection
    /// has survived was asked for by an administrator.
    /// </summary>
    private static bool HasCrashed(NodeState was, NodeState primary)
    {
        if (was.Epoch.IsUnknown || was.Timeline != primary.Timeline || primary.Epoch.IsSameButForCleanRestarts(was.Epoch)) return false;
        var isSameConnection = !primary.IsPooled && primary.Connection != 0 && primary.Connection == was.Connection;
        return !isSameConnection || primary.Epoch.StartedAt != was.Epoch.StartedAt;
    }

    private static bool Answered(NodeState node) => node.ReportedRole is ReportedRole.Primary or ReportedRole.Replica;

    /// <summary>It has told its cluster at some time: that it does not answer now takes nothing from what it said.</summary>
    private static bool HasAnswered(NodeState node) =>
        node.SystemIdentifier != 0 && node.ReportedRole is ReportedRole.Primary or ReportedRole.Replica or ReportedRole.NoAnswer;
}
