namespace Tidemark;

/// <summary>What a commit waits for before it returns: PostgreSQL's <c>synchronous_commit</c>, for one transaction.</summary>
/// <remarks>
/// The synchronous replicas are those of the primary's <c>synchronous_standby_names</c>; without any, all but <see cref="Off"/> are
/// <see cref="Local"/>.
/// </remarks>
public enum SynchronousCommit
{
    /// <summary>The primary's own disk.</summary>
    Local,

    /// <summary>Every synchronous replica has received it: it survives the loss of the primary, but not of all machines at once.</summary>
    RemoteWrite,

    /// <summary>Every synchronous replica has it on disk.</summary>
    On,

    /// <summary>Every synchronous replica has applied it: whoever reads there afterwards sees it, in a session or not.</summary>
    RemoteApply,

    /// <summary>Nothing: a crash of the primary within the next moments (up to three times <c>wal_writer_delay</c>) loses it.</summary>
    Off,
}
