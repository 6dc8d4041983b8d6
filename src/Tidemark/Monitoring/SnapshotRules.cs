using System.Collections.Immutable;

namespace Tidemark;

/// <summary>How a snapshot follows from the one before and an answer: who is the primary, who belongs to the cluster. Pure.</summary>
internal static class SnapshotRules
{
    /// <summary>How far behind a replica may be and still be asked, in the read's own round trip, whether it has caught up.</summary>
    private static readonly TimeSpan KeepUpWindow = TimeSpan.FromMilliseconds(250);

    /// <summary>The snapshot after one node has answered, or has failed to.</summary>
    public static ClusterSnapshot After(ClusterSnapshot before, int index, ProbeAnswer answer, long probeNumber, long sentAt, long ticksPerSecond)
    {
        var nodes = before.Nodes.SetItem(index, Observe(before, before.Nodes[index], answer, probeNumber, sentAt, ticksPerSecond));
        var identifier = before.SystemIdentifier != 0 ? before.SystemIdentifier : FindCluster(nodes);
        return Compare(nodes, identifier, before, index, answer);
    }

    private static NodeState Observe(ClusterSnapshot before, NodeState node, ProbeAnswer answer, long probeNumber, long sentAt, long ticksPerSecond)
    {
        // A primary that has no connection left for the monitor still has those in the pools: one refusal must not end all writes. Each write
        // connection says for itself whether its server is a standby.
        if (answer is { IsRefusal: true } && node.Claim == NodeClaim.Primary) return node with { Failure = answer.Failure };

        // What was known is kept for the eye (last position, last start), but an unreachable node serves nothing.
        if (answer.Failure is not null)
            return node with { Claim = NodeClaim.NoAnswer, Failure = answer.Failure, KeepsUp = false };

        // A receiver that is gone for a moment shows no timeline; nothing new is replayed meanwhile, so the last one stands.
        var timeline = answer.Timeline != 0 || answer.Epoch != node.Epoch ? answer.Timeline : node.Timeline;

        // One that shows no timeline may have been left behind on a dead one, if anybody was ever promoted; a role that may not see it is believed.
        var followed = timeline != 0 || (answer.SeesTimeline && before.LatestTimeline > 1) ? timeline : before.LatestTimeline;
        var asOf = answer.IsInRecovery ? before.History.ReachedAt(followed, answer.Position) : null;

        return node with
        {
            Claim = answer.IsAurora ? NodeClaim.Aurora : answer.IsInRecovery ? NodeClaim.Replica : NodeClaim.Primary,
            Failure = null,
            ProbeNumber = probeNumber,
            Epoch = answer.Epoch,
            Timeline = timeline,
            SeesTimeline = answer.SeesTimeline,
            Position = answer.Position,
            InsertPosition = answer.InsertPosition,
            Pages = answer.Pages,
            CompleteAsOf = asOf,
            ReplayRate = RateOf(before, node, answer, TimeSpan.FromSeconds((double)(sentAt - node.SampledAt) / ticksPerSecond)),
            KeepsUp = asOf is { } reached && TimeSpan.FromSeconds((double)(sentAt - reached) / ticksPerSecond) <= KeepUpWindow,
            // A history file is read once for each timeline, perhaps before the node is known to be the primary.
            Forks = answer.Forks ?? (timeline == node.Timeline && !answer.IsInRecovery ? node.Forks : null),
            SystemIdentifier = answer.SystemIdentifier,
            IsPooled = answer.IsPooled,
            StartedAt = answer.StartedAt,
            ServerVersion = answer.ServerVersion,
            SampledAt = sentAt,
        };
    }

    /// <summary>How fast the replica replays, measured over a time in which it was behind from beginning to end; the last such measure otherwise.</summary>
    private static double? RateOf(ClusterSnapshot before, NodeState node, ProbeAnswer answer, TimeSpan elapsed)
    {
        if (!answer.IsInRecovery || node.Claim != NodeClaim.Replica || node.Epoch != answer.Epoch) return null;
        var wasBusy = before.Primary is { } primary && answer.Position < primary.Position && answer.Position > node.Position && elapsed > TimeSpan.Zero;
        return wasBusy ? (answer.Position - node.Position) / elapsed.TotalSeconds : node.ReplayRate;
    }

    /// <summary>
    /// The identity of the cluster: that of most nodes, or of the only primary among nodes that disagree. Zero while it cannot be told,
    /// and nodes that disagree are then all refused: writing to the wrong cluster cannot be undone.
    /// </summary>
    private static ulong FindCluster(ImmutableArray<NodeState> nodes)
    {
        if (nodes.Any(n => n.Claim == NodeClaim.NotProbed)) return 0;
        var known = nodes.Where(Answered).ToArray();
        var groups = known.GroupBy(n => n.SystemIdentifier).OrderByDescending(g => g.Count()).ToArray();
        if (groups.Length == 0) return 0;
        if (groups.Length == 1 || groups[0].Count() > groups[1].Count()) return groups[0].Key;

        var primaries = known.Where(n => n.Claim == NodeClaim.Primary).ToArray();
        return primaries.Length == 1 ? primaries[0].SystemIdentifier : 0;
    }

    private static ClusterSnapshot Compare(ImmutableArray<NodeState> nodes, ulong identifier, ClusterSnapshot before, int answered, ProbeAnswer answer)
    {
        // While the identity is open, nodes that agree with one another are believed; as soon as two differ, none is.
        var disagree = identifier == 0 && nodes.Where(Answered).Select(n => n.SystemIdentifier).Distinct().Skip(1).Any();
        bool IsForeign(NodeState n) => Answered(n) && (disagree || (identifier != 0 && n.SystemIdentifier != identifier));

        // A timeline is remembered only from where it was certain that it is this cluster's.
        var remembered = before.SystemIdentifier == 0 ? 0 : before.LatestTimeline;

        // A replica has a say too: that it follows a later timeline tells of a promotion, even while the new primary cannot be reached.
        var latest = nodes.Where(n => Answered(n) && !IsForeign(n)).Select(n => n.Timeline).Append(remembered).Max();
        var current = nodes.Where(n => n.Claim == NodeClaim.Primary && !IsForeign(n) && n.Timeline == latest).ToArray();

        // Only a sample of its own moves the primary's history on: an answer of another node says nothing new about it.
        var primary = current.Length == 1 ? current[0] : null;
        var history = primary?.Index == answered
            ? before.History.Add(primary.SampledAt, primary.Timeline, primary.Position)
            : before.History;
        var chain = primary is null ? before.Chain : Extend(before, primary, answer);

        NodeStanding Judge(NodeState node) => node.Claim switch
        {
            NodeClaim.NotProbed => NodeStanding.NotProbed,
            NodeClaim.NoAnswer => NodeStanding.Unreachable,
            NodeClaim.Aurora => NodeStanding.Aurora,
            _ when IsForeign(node) => NodeStanding.ForeignCluster,
            NodeClaim.Replica => IsLeftBehind(node, chain, latest) ? NodeStanding.LeftBehind : NodeStanding.Replica,
            _ when node.Timeline < latest => NodeStanding.SupersededPrimary,
            _ when current.Length > 1 => NodeStanding.RivalPrimary,
            _ => NodeStanding.Primary,
        };

        return new ClusterSnapshot
        {
            Nodes = [.. nodes.Select(n => n with { Standing = Judge(n), Incarnation = n.Index == answered ? chain.Incarnation : n.Incarnation })],
            PrimaryIndex = primary?.Index ?? -1,
            SystemIdentifier = identifier,
            LatestTimeline = latest,
            History = history,
            Chain = chain,
        };
    }

    /// <summary>
    /// Whether a replica has replayed what history went on without. It can follow no later timeline any more, and stays up and answers all the same; whoever read
    /// from it would see lost writes again and again.
    /// </summary>
    private static bool IsLeftBehind(NodeState replica, TimelineChain chain, uint latest) =>
        replica.Timeline != 0 && replica.Timeline < latest
        && chain.Judge(new Stamp(new Place(replica.Timeline, replica.Position), chain.Incarnation), latest) == PlaceFate.Lost;

    /// <summary>Notes where history was left: by a promotion, or by a crash of the primary that lost what it had not flushed.</summary>
    private static TimelineChain Extend(ClusterSnapshot before, NodeState primary, ProbeAnswer answer)
    {
        var chain = before.Chain;
        var was = before.Nodes[primary.Index];

        // From where a primary was last seen: a replica may have told of the new timeline before the new primary did.
        var parent = before.History.LatestTimeline;
        if (parent != 0 && primary.Timeline > parent)
        {
            // The promoted node had replayed what it was last seen with, and its own timeline began before what it is first seen with.
            var atLeast = was is { Claim: NodeClaim.Replica } && was.Timeline == parent ? was.Position : default;
            chain = chain.With(new Fork(parent, primary.Timeline, atLeast, primary.Position));
        }
        else if (was.Epoch != 0 && was.Epoch != primary.Epoch && was.Timeline == primary.Timeline && answer.Checkpoint >= was.Position)
        {
            // The monitor's connection was lost, and there was a checkpoint since: perhaps the one that ends the recovery from a crash, of which
            // nothing else would tell (the start time stays when a single backend crashes). What was flushed has survived it.
            chain = chain.WithCrash(primary.Timeline, was.Position, primary.InsertPosition);
        }

        // Only the primary's own: a rival, or a node of another cluster, has a history of its own.
        return primary.Forks is { } forks && (!ReferenceEquals(forks, was.Forks) || before.PrimaryIndex != primary.Index) ? chain.With(forks) : chain;
    }

    private static bool Answered(NodeState node) => node.Claim is NodeClaim.Primary or NodeClaim.Replica;
}
