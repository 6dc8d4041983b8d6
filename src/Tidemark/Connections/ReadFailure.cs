using System.Net.Sockets;
using Npgsql;

namespace Tidemark;

/// <summary>What a failed attempt means for the statement: is it the caller's own error, or may another node do better?</summary>
internal enum ReadFailure
{
    /// <summary>The statement fails on every node, or the caller gave up.</summary>
    CallersOwn,

    /// <summary>The node or the connection to it is gone.</summary>
    NodeLost,

    /// <summary>The node is well but could not serve this read now: a recovery conflict, no free connection.</summary>
    TryAnotherNode,

    /// <summary>The statement writes (25006): it belongs on the primary, on a connection that may write.</summary>
    Writes,

    /// <summary>Only a primary can run it, or the replica has not replayed the schema it needs.</summary>
    NeedsPrimary,
}

/// <summary>Sorts failures. Pure; what PostgreSQL answers on a standby was measured on PostgreSQL 15 and 18.</summary>
internal static class ReadFailures
{
    public static ReadFailure Classify(Exception e, bool onReplica) => e switch
    {
        PostgresException p => Classify(p.SqlState, onReplica),

        // No connection was free in time, or the node did not accept one: inner TimeoutException both. A command that ran too long has it
        // too, but its time belongs to the caller and is spent.
        NpgsqlException { InnerException: TimeoutException } when !IsCommandTimeout(e) => ReadFailure.TryAnotherNode,
        NpgsqlException { InnerException: IOException or SocketException } => ReadFailure.NodeLost,
        SocketException or IOException => ReadFailure.NodeLost,
        _ => ReadFailure.CallersOwn,
    };

    private static bool IsCommandTimeout(Exception e) => e.Message.StartsWith("Exception while", StringComparison.Ordinal);

    private static ReadFailure Classify(string sqlState, bool onReplica) => sqlState switch
    {
        PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown or PostgresErrorCodes.CannotConnectNow => ReadFailure.NodeLost,
        PostgresErrorCodes.TooManyConnections => ReadFailure.TryAnotherNode,
        PostgresErrorCodes.ReadOnlySqlTransaction => ReadFailure.Writes,
        _ when sqlState.StartsWith("08", StringComparison.Ordinal) => ReadFailure.NodeLost,
        _ when !onReplica => ReadFailure.CallersOwn,

        // On a standby a serialization failure can only be a conflict with recovery.
        PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DatabaseDropped => ReadFailure.TryAnotherNode,
        PostgresErrorCodes.FeatureNotSupported or PostgresErrorCodes.ObjectNotInPrerequisiteState => ReadFailure.NeedsPrimary,
        PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.UndefinedColumn or PostgresErrorCodes.UndefinedFunction
            or PostgresErrorCodes.InvalidSchemaName or PostgresErrorCodes.InvalidCatalogName or PostgresErrorCodes.UndefinedObject => ReadFailure.NeedsPrimary,
        _ => ReadFailure.CallersOwn,
    };
}
