using NpgsqlTypes;

namespace Tidemark.Testing;

/// <summary>The current status of one node of a <see cref="KeptCluster"/>, from the process table and from the node's server.</summary>
public sealed record LocalNodeStatus
{
    /// <summary>The name, such as <c>pg-2</c>.</summary>
    public required string Name { get; init; }

    /// <summary>
    /// The role that the server reports. If it does not answer, the recorded role, which it has again when it is started.
    /// </summary>
    public required LocalNodeRole Role { get; init; }

    /// <summary>Whether the postmaster runs.</summary>
    public bool IsRunning => ProcessId is not null;

    /// <summary>Whether a rejoin began to replace the node's data and did not finish. Such a node cannot be started.</summary>
    public bool IsHalfReplaced { get; init; }

    /// <summary>Whether the server answered. It has 3 s to accept a connection and 3 s more to answer a query.</summary>
    public bool Answers { get; init; }

    /// <summary>
    /// The error that the server returned instead of an answer, such as <c>the database system is starting up</c> or
    /// <c>sorry, too many clients already</c>. <c>null</c> if it answered or returned nothing.
    /// </summary>
    public string? Refusal { get; init; }

    /// <summary>The port on 127.0.0.1.</summary>
    public required int Port { get; init; }

    /// <summary>The process id of the postmaster, or <c>null</c> while the server is down.</summary>
    public int? ProcessId { get; init; }

    /// <summary>The node that a replica streams from or is configured to stream from, or <c>null</c> for a primary.</summary>
    public string? Follows { get; init; }

    /// <summary>Whether a replica receives the current writes of <see cref="Follows"/>.</summary>
    public bool IsStreaming { get; init; }

    /// <summary>The timeline that the server writes or receives, or <c>null</c> if it did not answer.</summary>
    public int? Timeline { get; init; }

    /// <summary>The LSN that a primary has flushed or a replica has replayed, or <c>null</c> if the server did not answer.</summary>
    public NpgsqlLogSequenceNumber? Lsn { get; init; }

    /// <summary>How many bytes the replica is behind the primary, or <c>null</c> if their LSNs cannot be compared.</summary>
    public long? LagBytes { get; init; }

    /// <summary>Whether replay is paused.</summary>
    public bool IsPaused { get; init; }

    /// <summary>Shortest time between a commit and its replay.</summary>
    public TimeSpan Delay { get; init; }
}
