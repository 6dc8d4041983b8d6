namespace Tidemark;

/// <summary>What stands between an open connection and its rows.</summary>
internal enum ConnectionCheck
{
    /// <summary>Nothing: what the read must include is proven for it.</summary>
    None,

    /// <summary>
    /// It is to lead to the primary, perhaps to a run of it that began after a crash: a session that came before must hear what that has
    /// lost. It must show
    /// that it does, and in which epoch.
    /// </summary>
    Unverified,

    /// <summary>It must show that it has replayed the position.</summary>
    Position,

    /// <summary>It must show that its server is in the epoch that the session has read in.</summary>
    Epoch,

    /// <summary>Nothing, but its epoch is not known: it is asked along with its first statement.</summary>
    Learn,

    /// <summary>
    /// It may lead to a later life of the server than the session has read from: the session's position must be learned first.
    /// </summary>
    TooYoung,
}
