namespace Tidemark;

/// <summary>What an open connection must prove before its rows are used.</summary>
internal enum ConnectionCheck
{
    /// <summary>Nothing: the connection is already proven to have what the read must include.</summary>
    None,

    /// <summary>
    /// The connection must prove that it leads to the primary, and in which epoch. The epoch may have begun after a crash, and lost writes
    /// must be reported to a session that started before it.
    /// </summary>
    Unverified,

    /// <summary>The server must prove that it has replayed the WAL position.</summary>
    Position,

    /// <summary>The server must prove that it is in the epoch that the session has read in.</summary>
    Epoch,

    /// <summary>Nothing, but the epoch of the connection is unknown: it is queried together with the first statement.</summary>
    Identify,

    /// <summary>
    /// The server may be in a later epoch than the one that the session has read in. The session's WAL position must be resolved first.
    /// </summary>
    TooYoung,
}
