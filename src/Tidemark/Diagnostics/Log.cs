using Microsoft.Extensions.Logging;

namespace Tidemark;

/// <summary>All log messages of the core. 1xx: monitoring and sessions, 20x: routing, 21x: commits. They report changes of state, not states.</summary>
internal static partial class Log
{
    [LoggerMessage(100, LogLevel.Information, "{Node} is {Status} on timeline {Timeline} at {Position}", EventName = "NodeUp")]
    public static partial void NodeUp(ILogger logger, string node, string status, uint timeline, string position);

    [LoggerMessage(101, LogLevel.Warning, "{Node} is unreachable: {Failure}", EventName = "NodeUnreachable")]
    public static partial void NodeUnreachable(ILogger logger, string node, string? failure);

    [LoggerMessage(102, LogLevel.Error, "{Node} gets nothing: it {Why}", EventName = "NodeRefused")]
    public static partial void NodeRefused(ILogger logger, string node, string why);

    [LoggerMessage(103, LogLevel.Information, "The primary is {Node}, timeline {Timeline}", EventName = "PrimaryFound")]
    public static partial void PrimaryFound(ILogger logger, string node, uint timeline);

    [LoggerMessage(104, LogLevel.Error, "There is no primary: writes fail, reads go on from replicas", EventName = "PrimaryLost")]
    public static partial void PrimaryLost(ILogger logger);

    [LoggerMessage(105, LogLevel.Warning,
        "{Node}: this role cannot see which timeline the replica follows (GRANT pg_read_all_stats TO the role). After a failover the replica serves reads that need a new position only when its control file shows the new timeline",
        EventName = "TimelineHidden")]
    public static partial void TimelineHidden(ILogger logger, string node);

    [LoggerMessage(106, LogLevel.Error, "A round of probes failed; the next one follows", EventName = "MonitorRoundFailed")]
    public static partial void MonitorRoundFailed(ILogger logger, Exception exception);

    [LoggerMessage(107, LogLevel.Error, "{Lost}", EventName = "WriteLost", SkipEnabledCheck = true)]
    public static partial void WriteLost(ILogger logger, string lost);

    [LoggerMessage(108, LogLevel.Warning, "A token was not believed: {Problem}. The session's reads ask the primary how far its writes reach", EventName = "TokenNotBelieved")]
    public static partial void TokenNotBelieved(ILogger logger, string problem);

    [LoggerMessage(109, LogLevel.Error, "A listener to WriteLost failed", EventName = "ListenerFailed")]
    public static partial void ListenerFailed(ILogger logger, Exception exception);

    [LoggerMessage(110, LogLevel.Warning,
        "Node {Node} leads to several servers, such as a balancer or a name with several addresses: every read there is checked, which costs reads that replicas could serve. Name each server as a node of its own",
        EventName = "SeveralServers")]
    public static partial void SeveralServers(ILogger logger, string node);

    [LoggerMessage(111, LogLevel.Critical,
        "Most nodes have the system identifier {Majority}, but the first to answer had {First} and may have been written to: all nodes are refused. Set SystemIdentifier to the right one and restart",
        EventName = "IdentityContradicted")]
    public static partial void IdentityContradicted(ILogger logger, ulong majority, ulong first);

    [LoggerMessage(112, LogLevel.Warning,
        "Node {Node} hides positions from this role, so reads that need one go to the primary: "
        + "GRANT EXECUTE ON FUNCTION pg_current_wal_insert_lsn(), pg_current_wal_flush_lsn(), pg_last_wal_replay_lsn() TO the role",
        EventName = "PositionsHidden")]
    public static partial void PositionsHidden(ILogger logger, string node);

    [LoggerMessage(200, LogLevel.Debug, "{Decision}", EventName = "Routed", SkipEnabledCheck = true)]
    public static partial void Routed(ILogger logger, string decision);

    [LoggerMessage(201, LogLevel.Information, "{Node} failed during a read, which moves on: {Failure}", EventName = "ReadMoved")]
    public static partial void ReadMoved(ILogger logger, string? node, string failure);

    [LoggerMessage(202, LogLevel.Information, "{Node} answered that a statement sent as a read cannot run there ({SqlState}); repeated on the primary", EventName = "RepeatedOnPrimary")]
    public static partial void RepeatedOnPrimary(ILogger logger, string? node, string sqlState);

    [LoggerMessage(203, LogLevel.Warning, "{Node} took {Milliseconds:F0} ms for a read. It was read there since {Reason}: {Text}", EventName = "SlowRead", SkipEnabledCheck = true)]
    public static partial void SlowRead(ILogger logger, string? node, double milliseconds, string reason, string text);

    [LoggerMessage(210, LogLevel.Warning,
        "A transaction asks for synchronous_commit = {Setting}, but the primary's synchronous_standby_names is empty: there is no replica to wait for, and it commits locally. Name the replicas there",
        EventName = "NobodyToWaitFor")]
    public static partial void NobodyToWaitFor(ILogger logger, string setting);

    [LoggerMessage(211, LogLevel.Warning,
        "A commit's wait for replicas (synchronous_commit = {Setting}) was cancelled: it is committed, but replicas may lack it", EventName = "CommitWaitCancelled")]
    public static partial void CommitWaitCancelled(ILogger logger, string setting);
}
