using Microsoft.Extensions.Logging;

namespace Tidemark;

/// <summary>Logs what changed from one snapshot to the next.</summary>
internal static class SnapshotLog
{
    public static void Report(ILogger logger, ClusterSnapshot before, ClusterSnapshot after)
    {
        for (var index = 0; index < after.Nodes.Length; index++) ReportNode(logger, before.Nodes[index], after.Nodes[index], after);

        if (after.RivalIdentifier != 0 && before.RivalIdentifier == 0)
            Log.IdentityContradicted(logger, after.RivalIdentifier, after.SystemIdentifier);
        if (after.Primary is { } primary && (before.Primary is not { } old || old.Index != primary.Index))
            Log.PrimaryFound(logger, primary.Name, primary.Timeline);
        else if (after.Primary is null && (before.Primary is not null || (after.IsComplete && !before.IsComplete)))
            Log.PrimaryLost(logger);
    }

    private static void ReportNode(ILogger logger, NodeState before, NodeState after, ClusterSnapshot snapshot)
    {
        if (after.HasSeveralServers && !before.HasSeveralServers) Log.SeveralServers(logger, after.Name);
        if (after.HidesPositions && !before.HidesPositions) Log.PositionsHidden(logger, after.Name);
        if (after.Status == before.Status && after.Timeline == before.Timeline) return;
        switch (after.Status)
        {
            case ConcludedStatus.NotProbed:
                break;
            case ConcludedStatus.Unreachable:
                if (before.Status != ConcludedStatus.Unreachable) Log.NodeUnreachable(logger, after.Name, after.Failure);
                break;
            case ConcludedStatus.Primary or ConcludedStatus.Replica:
                if (logger.IsEnabled(LogLevel.Information))
                    Log.NodeUp(logger, after.Name, after.Status == ConcludedStatus.Primary
                        ? "the primary" : "a replica", after.Timeline, after.Lsn.ToString());
                if (after is { Status: ConcludedStatus.Replica, SeesTimeline: false }
                    && before.Status is ConcludedStatus.NotProbed or ConcludedStatus.Unreachable)
                    Log.TimelineHidden(logger, after.Name);
                break;
            default:
                if (logger.IsEnabled(LogLevel.Error)) Log.NodeRefused(logger, after.Name, StatusText.Of(after, snapshot));
                break;
        }
    }
}
