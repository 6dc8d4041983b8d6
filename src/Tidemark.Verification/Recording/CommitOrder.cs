using Tidemark.Testing;

namespace Tidemark.Verification;

/// <summary>
/// Learns from a cluster's WAL in which order a recorder's writes were committed, and where history forked. One for each recorder, which
/// disposes of it.
/// </summary>
public abstract class CommitOrder : IAsyncDisposable
{
    private protected CommitOrder()
    {
    }

    /// <summary>
    /// The way that works for a local cluster: its files where <c>pg_waldump</c> is installed with the servers, else a slot.
    /// </summary>
    /// <param name="cluster">The cluster.</param>
    public static CommitOrder Of(LocalCluster cluster)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        return WalDump.IsIn(cluster.Launcher.Binaries) ? FromFiles(cluster) : FromSlot(cluster.Primary.ConnectionString);
    }

    /// <summary>
    /// From the WAL files of every node, by <c>pg_waldump</c>; those of dead ones too, so that what a failover lost is known. A physical
    /// slot on the primary keeps the files until the recorder is disposed of; those of a promoted node stay as long as <c>wal_keep_size</c>
    /// says.
    /// </summary>
    /// <param name="cluster">The cluster.</param>
    public static CommitOrder FromFiles(LocalCluster cluster)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        return new WalFilesOrder(cluster);
    }

    /// <summary>
    /// From a logical slot on the primary, decoded by <c>pgoutput</c>, for servers whose files are out of reach. Needs <c>wal_level =
    /// logical</c>, a role with
    /// <c>REPLICATION</c> that may create a publication in the database, and a primary that stays the primary: a slot ends with a failover.
    /// </summary>
    /// <param name="connectionString">How to reach the primary.</param>
    public static CommitOrder FromSlot(string connectionString)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(connectionString);
        return new SlotOrder(connectionString);
    }

    /// <summary>
    /// From a table that writes note themselves in, one after the other: on any cluster, with no right but to make tables. Writes take
    /// turns to commit, so that there are fewer of them, and the primary must stay the primary.
    /// </summary>
    /// <param name="connectionString">How to reach the primary.</param>
    public static CommitOrder FromTable(string connectionString)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(connectionString);
        return new TableOrder(connectionString);
    }

    /// <inheritdoc/>
    public abstract ValueTask DisposeAsync();

    /// <summary>Writes are to note themselves in <see cref="RegisterTable.Log"/>.</summary>
    internal virtual bool NeedsLog => false;

    /// <summary>From here on no commit is missed.</summary>
    internal abstract Task BeginAsync(RegisterTable table, CancellationToken cancellationToken);

    /// <summary>Everything committed since, once the writes that are still under way have ended.</summary>
    /// <exception cref="HistoryException">The WAL is not all there.</exception>
    internal abstract Task<RankedWal> ReadAsync(CancellationToken cancellationToken);
}
