namespace Tidemark;

/// <summary>What a commit waits for before it returns: PostgreSQL's <c>synchronous_commit</c>, for one transaction.</summary>
/// <remarks>
/// The primary's <c>synchronous_standby_names</c> selects the synchronous replicas. If it is empty, every value except <see cref="Off"/>
/// has the effect of <see cref="Local"/>.
/// </remarks>
public enum SynchronousCommit
{
    /// <summary>Waits until the commit is on the primary's own disk.</summary>
    Local,

    /// <summary>
    /// Waits until every synchronous replica has received the commit. It survives the loss of the primary, but not of all machines at once.
    /// </summary>
    RemoteWrite,

    /// <summary>Waits until every synchronous replica has the commit on disk.</summary>
    On,

    /// <summary>
    /// Waits until every synchronous replica has applied the commit. Later reads on those replicas include it, with or without a session.
    /// </summary>
    RemoteApply,

    /// <summary>
    /// Does not wait. A crash of the primary shortly afterwards (within up to three times <c>wal_writer_delay</c>) loses the commit.
    /// </summary>
    Off,
}
