using System.Net.Sockets;
using Npgsql;

namespace Tidemark;

/// <summary>Classifies failures of reads. Pure. The error codes of a standby were measured on PostgreSQL 15 and 18.</summary>
internal static class ReadFailures
{
    private const string IdleSessionTimeout = "57P05";

    /// <summary>Classifies a failure.</summary>
    /// <param name="e">The failure.</param>
    /// <param name="onReplica">Whether the node is a replica.</param>
    /// <param name="isOpen">
    /// Whether the connection was open when the failure happened, so that the caller's own command was running.
    /// </param>
    public static ReadFailure Classify(Exception e, bool onReplica, bool isOpen) => e switch
    {
        PostgresException p => Classify(p.SqlState, EndsConnection(p), onReplica, isOpen),

        // No connection was free in time, the node did not accept one, or it accepted one and sent no greeting, as a paused server does. A
        // command that ran too long throws the same exception with the same text. That timeout belongs to the caller and has elapsed.
        NpgsqlException { InnerException: TimeoutException } when !isOpen => ReadFailure.TryAnotherNode,
        NpgsqlException { InnerException: IOException or SocketException } => ReadFailure.NodeLost,
        SocketException or IOException => ReadFailure.NodeLost,
        _ => ReadFailure.CallersOwn,
    };

    // The severity that is not translated (field V). It is always English, regardless of lc_messages.
    private static bool EndsConnection(PostgresException e) => e.InvariantSeverity is "FATAL" or "PANIC";

    private static ReadFailure Classify(string sqlState, bool endsConnection, bool onReplica, bool isOpen) => sqlState switch
    {
        PostgresErrorCodes.ReadOnlySqlTransaction => ReadFailure.Writes,

        // The caller gave up: a cancellation, statement_timeout, or an administrator who stopped this query.
        PostgresErrorCodes.QueryCanceled => ReadFailure.CallersOwn,
        PostgresErrorCodes.DatabaseDropped when onReplica => ReadFailure.TryAnotherNode,

        // The server ended the connection, so the statement has no response, regardless of the code: idle_session_timeout (57P05), a
        // shutdown, a crash.
        _ when endsConnection && isOpen => ReadFailure.NodeLost,
        PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown or PostgresErrorCodes.CannotConnectNow or IdleSessionTimeout =>
            ReadFailure.NodeLost,
        _ when IsOfClass(sqlState, "08") => ReadFailure.NodeLost,

        // The node had no connection available: too many connections, no memory, no disk. A problem with the role or the database (28, 3D,
        // 42) occurs on every node.
        PostgresErrorCodes.TooManyConnections => ReadFailure.TryAnotherNode,
        _ when endsConnection && IsOfNode(sqlState) => ReadFailure.TryAnotherNode,
        _ when !onReplica => ReadFailure.CallersOwn,

        // A limit set for queries (temp_file_limit) ends the query on every node, and each attempt costs as much as the first.
        PostgresErrorCodes.ConfigurationLimitExceeded => ReadFailure.CallersOwn,
        _ when IsOfNode(sqlState) => ReadFailure.NodeFault,

        // On a standby these codes can only mean a conflict with recovery.
        PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected => ReadFailure.TryAnotherNode,

        // This includes serializable transactions where they are the default.
        PostgresErrorCodes.FeatureNotSupported or PostgresErrorCodes.ObjectNotInPrerequisiteState => ReadFailure.NeedsPrimary,
        PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.UndefinedColumn or PostgresErrorCodes.UndefinedFunction
            or PostgresErrorCodes.InvalidSchemaName or PostgresErrorCodes.InvalidCatalogName or PostgresErrorCodes.UndefinedObject =>
                ReadFailure.NeedsPrimary,
        _ => ReadFailure.CallersOwn,
    };

    /// <summary>Insufficient resources, system errors (I/O), internal errors (including damaged data).</summary>
    private static bool IsOfNode(string sqlState) => IsOfClass(sqlState, "53") || IsOfClass(sqlState, "58") || IsOfClass(sqlState, "XX");

    private static bool IsOfClass(string sqlState, string errorClass) => sqlState.StartsWith(errorClass, StringComparison.Ordinal);
}
