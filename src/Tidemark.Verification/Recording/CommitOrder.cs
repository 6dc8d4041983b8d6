using Tidemark.Testing;

namespace Tidemark.Verification;

/// <summary>
/// Determines, from a cluster's WAL, the order in which a recorder's writes were committed and where history forked. Each recorder has one
/// and disposes of it.
/// </summary>
public abstract class CommitOrder : IAsyncDisposable
{
    private protected CommitOrder()
    {
    }

    /// <summary>
    /// Creates the commit order that suits a local cluster: from its WAL files if <c>pg_waldump</c> is installed with the servers,
    /// otherwise from a slot.
    /// </summary>
    /// <param name="cluster">The cluster.</param>
    public static CommitOrder Of(LocalCluster cluster)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        return WalDump.IsIn(cluster.Launcher.Binaries) ? FromFiles(cluster) : FromSlot(cluster.Primary.ConnectionString);
    }

    /// <summary>
    /// Creates a commit order that reads the WAL files of every node with <c>pg_waldump</c>. The files of stopped nodes are included, so
    /// that the writes that a failover lost are recorded. A physical slot on the primary keeps the files until the recorder is disposed of.
    /// The files of a promoted node are kept according to <c>wal_keep_size</c>.
    /// </summary>
    /// <param name="cluster">The cluster.</param>
    public static CommitOrder FromFiles(LocalCluster cluster)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        return new WalFilesOrder(cluster);
    }

    /// <summary>
    /// Creates a commit order that reads a logical slot on the primary, decoded by <c>pgoutput</c>. Use it for servers whose files are not
    /// accessible. It needs <c>wal_level = logical</c> and a role with <c>REPLICATION</c> that may create a publication in the database.
    /// The primary must not change: a slot does not survive a failover.
    /// </summary>
    /// <param name="connectionString">Connection string of the primary.</param>
    public static CommitOrder FromSlot(string connectionString)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(connectionString);
        return new SlotOrder(connectionString);
    }

    /// <summary>
    /// Creates a commit order that reads a table to which each write adds a row. It works on any cluster and only needs the right to create
    /// tables. Writes commit one at a time, so there are fewer of them. The primary must not change.
    /// </summary>
    /// <param name="connectionString">Connection string of the primary.</param>
    public static CommitOrder FromTable(string connectionString)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(connectionString);
        return new TableOrder(connectionString);
    }

    /// <inheritdoc/>
    public abstract ValueTask DisposeAsync();

    /// <summary>Whether writes must record themselves in <see cref="RegisterTable.Log"/>.</summary>
    internal virtual bool NeedsLog => false;

    /// <summary>Starts following the WAL. No later commit is missed.</summary>
    internal abstract Task BeginAsync(RegisterTable table, CancellationToken cancellationToken);

    /// <summary>Returns all commits since the start, once the writes that are still in progress have ended.</summary>
    /// <exception cref="HistoryException">The WAL is incomplete.</exception>
    internal abstract Task<RankedWal> ReadAsync(CancellationToken cancellationToken);
}
