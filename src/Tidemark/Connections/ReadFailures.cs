using System.Net.Sockets;
using Npgsql;

namespace Tidemark;

/// <summary>Sorts failures. Pure; what PostgreSQL answers on a standby was measured on PostgreSQL 15 and 18.</summary>
internal static class ReadFailures
{
    private const string IdleSessionTimeout = "57P05";

    /// <param name="e">The failure.</param>
    /// <param name="onReplica">The node is a replica.</param>
    /// <param name="isOpen">The connection had been opened when it happened, so what ran was the caller's own command.</param>
    public static ReadFailure Classify(Exception e, bool onReplica, bool isOpen) => e switch
    {
        PostgresException p => Classify(p.SqlState, EndsConnection(p), onReplica, isOpen),

        // No connection was free in time, or the node did not accept one, or it did and never greeted, as a paused server does. A command
        // that
        // ran too long has the same exception, down to the words; but its time belongs to the caller and is spent.
        NpgsqlException { InnerException: TimeoutException } when !isOpen => ReadFailure.TryAnotherNode,
        NpgsqlException { InnerException: IOException or SocketException } => ReadFailure.NodeLost,
        SocketException or IOException => ReadFailure.NodeLost,
        _ => ReadFailure.CallersOwn,
    };

    // The severity that is not translated (field V): it is always English, whatever lc_messages says.
    private static bool EndsConnection(PostgresException e) => e.InvariantSeverity is "FATAL" or "PANIC";

    private static ReadFailure Classify(string sqlState, bool endsConnection, bool onReplica, bool isOpen) => sqlState switch
    {
        PostgresErrorCodes.ReadOnlySqlTransaction => ReadFailure.Writes,

        // Who gave up is the caller: a cancellation, statement_timeout, or an administrator who stopped this very query.
        PostgresErrorCodes.QueryCanceled => ReadFailure.CallersOwn,
        PostgresErrorCodes.DatabaseDropped when onReplica => ReadFailure.TryAnotherNode,

        // The server ended the connection, so the statement has no answer, whatever the code says: idle_session_timeout (57P05), a
        // shutdown, a crash.
        _ when endsConnection && isOpen => ReadFailure.NodeLost,
        PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown or PostgresErrorCodes.CannotConnectNow or IdleSessionTimeout =>
            ReadFailure.NodeLost,
        _ when IsOfClass(sqlState, "08") => ReadFailure.NodeLost,

        // No connection was to be had there: too many of them, no memory, no disk. What is wrong with the role or the database (28, 3D, 42)
        // is so on every node.
        PostgresErrorCodes.TooManyConnections => ReadFailure.TryAnotherNode,
        _ when endsConnection && IsOfNode(sqlState) => ReadFailure.TryAnotherNode,
        _ when !onReplica => ReadFailure.CallersOwn,

        // A limit that was set for queries (temp_file_limit) ends the query on every node, and each try costs that node as much as the
        // first.
        PostgresErrorCodes.ConfigurationLimitExceeded => ReadFailure.CallersOwn,
        _ when IsOfNode(sqlState) => ReadFailure.NodeFault,

        // On a standby these can only be a conflict with recovery.
        PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected => ReadFailure.TryAnotherNode,

        // Serializable transactions among them, where they are the default.
        PostgresErrorCodes.FeatureNotSupported or PostgresErrorCodes.ObjectNotInPrerequisiteState => ReadFailure.NeedsPrimary,
        PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.UndefinedColumn or PostgresErrorCodes.UndefinedFunction
            or PostgresErrorCodes.InvalidSchemaName or PostgresErrorCodes.InvalidCatalogName or PostgresErrorCodes.UndefinedObject =>
                ReadFailure.NeedsPrimary,
        _ => ReadFailure.CallersOwn,
    };

    /// <summary>Insufficient resources, system errors (I/O), internal errors (damaged data among them).</summary>
    private static bool IsOfNode(string sqlState) => IsOfClass(sqlState, "53") || IsOfClass(sqlState, "58") || IsOfClass(sqlState, "XX");

    private static bool IsOfClass(string sqlState, string errorClass) => sqlState.StartsWith(errorClass, StringComparison.Ordinal);
}
