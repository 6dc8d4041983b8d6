using NpgsqlTypes;

namespace Tidemark.Testing;

/// <summary>What one node of a <see cref="KeptCluster"/> is and does now, as the machine and its server say.</summary>
public sealed record LocalNodeStatus
{
    /// <summary>The name, such as <c>pg-2</c>.</summary>
    public required string Name { get; init; }

    /// <summary>What the server says it is; of one that does not answer, what it was and will be when it is started.</summary>
    public required LocalNodeRole Role { get; init; }

    /// <summary>Whether the postmaster runs.</summary>
    public bool IsRunning => ProcessId is not null;

    /// <summary>Whether a rejoin has begun to replace the node's data and has not finished; it cannot be started then.</summary>
    public bool IsHalfReplaced { get; init; }

    /// <summary>Whether the server answered: it has 3 s to accept a connection, and 3 s more to answer a question.</summary>
    public bool Answers { get; init; }

    /// <summary>
    /// What the server said instead of an answer, such as <c>the database system is starting up</c> or <c>sorry, too many clients
    /// already</c>;
    /// null when it answered, or said nothing.
    /// </summary>
    public string? Refusal { get; init; }

    /// <summary>The port on 127.0.0.1.</summary>
    public required int Port { get; init; }

    /// <summary>The id of the postmaster's process; null while the server is down.</summary>
    public int? ProcessId { get; init; }

    /// <summary>The node that a replica streams from, or else is set to stream from; null for a primary.</summary>
    public string? Follows { get; init; }

    /// <summary>Whether a replica receives what <see cref="Follows"/> writes now.</summary>
    public bool IsStreaming { get; init; }

    /// <summary>The timeline that is written or received; null without an answer.</summary>
    public int? Timeline { get; init; }

    /// <summary>The position flushed by a primary, or replayed by a replica; null without an answer.</summary>
    public NpgsqlLogSequenceNumber? Lsn { get; init; }

    /// <summary>Bytes between the primary's position and the replica's; null where the two cannot be compared.</summary>
    public long? LagBytes { get; init; }

    /// <summary>Whether replay is paused.</summary>
    public bool IsPaused { get; init; }

    /// <summary>Shortest time between a commit and its replay.</summary>
    public TimeSpan Delay { get; init; }
}
