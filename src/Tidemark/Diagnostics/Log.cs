using Microsoft.Extensions.Logging;

namespace Tidemark;

/// <summary>
/// Declares the log messages of the core. Event ids 1xx cover monitoring and sessions, 20x routing, and 21x commits. Messages report
/// changes of state, not states.
/// </summary>
internal static partial class Log
{
    [LoggerMessage(100, LogLevel.Information, "Node {Node} is {Status} on timeline {Timeline} at {Position}", EventName = "NodeUp")]
    public static partial void NodeUp(ILogger logger, string node, string status, uint timeline, string position);

    [LoggerMessage(101, LogLevel.Warning, "Node {Node} is unreachable: {Failure}", EventName = "NodeUnreachable")]
    public static partial void NodeUnreachable(ILogger logger, string node, string? failure);

    [LoggerMessage(102, LogLevel.Error, "Node {Node} is excluded from routing. It {Reason}", EventName = "NodeRefused")]
    public static partial void NodeRefused(ILogger logger, string node, string reason);

    [LoggerMessage(103, LogLevel.Information, "The primary is node {Node} on timeline {Timeline}", EventName = "PrimaryFound")]
    public static partial void PrimaryFound(ILogger logger, string node, uint timeline);

    [LoggerMessage(104, LogLevel.Error, "No node is the primary. Writes fail; replicas continue to serve reads", EventName = "PrimaryLost")]
    public static partial void PrimaryLost(ILogger logger);

    [LoggerMessage(105, LogLevel.Warning,
        "The role cannot see which timeline replica {Node} follows. After a failover, the replica serves reads that require a new "
        + "position only once its control file shows the new timeline. GRANT pg_read_all_stats TO the role",
        EventName = "TimelineHidden")]
    public static partial void TimelineHidden(ILogger logger, string node);

    [LoggerMessage(106, LogLevel.Error, "A round of probes failed. The monitor continues with the next round",
        EventName = "MonitorRoundFailed")]
    public static partial void MonitorRoundFailed(ILogger logger, Exception exception);

    [LoggerMessage(107, LogLevel.Error, "{Lost}", EventName = "WriteLost", SkipEnabledCheck = true)]
    public static partial void WriteLost(ILogger logger, string lost);

    [LoggerMessage(108, LogLevel.Warning,
        "Token rejected: {Problem}. The session queries the primary once for the WAL position of its writes",
        EventName = "TokenRejected")]
    public static partial void TokenRejected(ILogger logger, string problem);

    [LoggerMessage(109, LogLevel.Error, "An event handler of WriteLost threw an exception", EventName = "EventHandlerFailed")]
    public static partial void EventHandlerFailed(ILogger logger, Exception exception);

    [LoggerMessage(110, LogLevel.Warning,
        "Node {Node} resolves to several servers, such as a load balancer or a name with several addresses. Every read there is checked, "
        + "so replicas serve fewer reads. Configure each server as a separate node",
        EventName = "SeveralServers")]
    public static partial void SeveralServers(ILogger logger, string node);

    [LoggerMessage(111, LogLevel.Critical,
        "Most nodes have the system identifier {Majority}, but the first node that responded had {First} and may have been written to. "
        + "All nodes are excluded from routing. Set SystemIdentifier to the correct identifier and restart",
        EventName = "IdentityContradicted")]
    public static partial void IdentityContradicted(ILogger logger, ulong majority, ulong first);

    [LoggerMessage(112, LogLevel.Warning,
        "The role cannot query WAL positions on node {Node}, so reads that require a position go to the primary. "
        + "GRANT EXECUTE ON FUNCTION pg_current_wal_insert_lsn(), pg_current_wal_flush_lsn(), pg_last_wal_replay_lsn() TO the role",
        EventName = "PositionsHidden")]
    public static partial void PositionsHidden(ILogger logger, string node);

    [LoggerMessage(113, LogLevel.Information, "Options reloaded: {Options}", EventName = "OptionsReloaded")]
    public static partial void OptionsReloaded(ILogger logger, string options);

    [LoggerMessage(114, LogLevel.Warning, "Changed options that require a restart are ignored: {Options}", EventName = "RestartRequired")]
    public static partial void RestartRequired(ILogger logger, string options);

    [LoggerMessage(115, LogLevel.Error, "Changed options are invalid, so the previous ones stay in effect: {Errors}",
        EventName = "ReloadRejected")]
    public static partial void ReloadRejected(ILogger logger, string errors);

    [LoggerMessage(200, LogLevel.Debug, "{Decision}", EventName = "Routed", SkipEnabledCheck = true)]
    public static partial void Routed(ILogger logger, string decision);

    [LoggerMessage(201, LogLevel.Information, "Node {Node} failed during a read, which continues on another node: {Failure}",
        EventName = "ReadMoved")]
    public static partial void ReadMoved(ILogger logger, string? node, string failure);

    [LoggerMessage(202, LogLevel.Information,
        "A statement sent as a read was retried on the primary, because it cannot run on node {Node} ({SqlState})",
        EventName = "RetriedOnPrimary")]
    public static partial void RetriedOnPrimary(ILogger logger, string? node, string sqlState);

    [LoggerMessage(203, LogLevel.Warning,
        "Slow read: {Milliseconds:F0} ms on node {Node} ({Reason}). SQL: {Text}", EventName = "SlowRead", SkipEnabledCheck = true)]
    public static partial void SlowRead(ILogger logger, string? node, double milliseconds, string reason, string text);

    [LoggerMessage(210, LogLevel.Warning,
        "A transaction requested synchronous_commit = {Setting}, but synchronous_standby_names is empty on the primary. The commit does "
        + "not wait for a replica. List the synchronous replicas in synchronous_standby_names",
        EventName = "NoReplicaToWaitFor")]
    public static partial void NoReplicaToWaitFor(ILogger logger, string setting);

    [LoggerMessage(211, LogLevel.Warning,
        "The wait of a commit for replicas (synchronous_commit = {Setting}) was cancelled. The transaction is committed, but replicas may "
        + "not have it",
        EventName = "CommitWaitCancelled")]
    public static partial void CommitWaitCancelled(ILogger logger, string setting);
}
