using System.Data;
using Npgsql;

namespace Tidemark;

/// <summary>
/// A transaction on the primary with a <see cref="SynchronousCommit"/> of its own. Owns its connection, which goes back to the pool when
/// the transaction
/// ends, however it ends; disposing of it before rolls it back. Not safe for concurrent use. Never repeated by Tidemark.
/// </summary>
public sealed class TidemarkTransaction : IAsyncDisposable, IDisposable
{
    // Where PostgreSQL's source waits for replicas: a name that is no message, so that no language hides it.
    internal const string WaitRoutine = "SyncRepWaitForLSN";

    private readonly TidemarkDataSource _source;
    private readonly WriteLease _lease;
    private bool _isOver;

    private TidemarkTransaction(TidemarkDataSource source, NpgsqlConnection connection, NpgsqlTransaction transaction,
        SynchronousCommit synchronousCommit)
    {
        (_source, Connection, Transaction, SynchronousCommit) = (source, connection, transaction, synchronousCommit);
        _lease = WriteLease.Of(connection)!;
    }

    /// <summary>The connection that the transaction is open on; closed once it has ended.</summary>
    public NpgsqlConnection Connection { get; }

    /// <summary>
    /// The transaction, for libraries that ask for it and for savepoints. End it through <see cref="CommitAsync(CancellationToken)"/>: ended here, its
    /// position must be
    /// asked for by the session's next read.
    /// </summary>
    public NpgsqlTransaction Transaction { get; }

    /// <summary>What its commit waits for.</summary>
    public SynchronousCommit SynchronousCommit { get; }

    /// <summary>
    /// It is committed, but the wait for the synchronous replicas was cancelled (by the cancellation token, <c>statement_timeout</c>, the
    /// command time-out or
    /// <c>pg_cancel_backend</c>): they may lack it. Logged as <c>CommitWaitCancelled</c>. No exception, since it must not be repeated.
    /// </summary>
    public bool IsWaitCancelled { get; private set; }

    /// <summary>
    /// Commits, and returns when what <see cref="SynchronousCommit"/> names has it. The session knows its position at once.
    /// </summary>
    /// <param name="cancellationToken">
    /// Gives up the wait for the replicas: the transaction is committed all the same, and <see cref="IsWaitCancelled"/> says so. Cancelled
    /// before
    /// anything is sent, it throws, and the transaction is still open.
    /// </param>
    /// <exception cref="InvalidOperationException">
    /// It has ended before; or a statement in it had failed, so that PostgreSQL rolled it back: nothing is committed.
    /// </exception>
    /// <exception cref="NpgsqlException">The commit failed. When the connection broke, nobody knows whether it happened.</exception>
    public ValueTask CommitAsync(CancellationToken cancellationToken = default) => CommitAsync(IoMode.Async, cancellationToken);

    /// <inheritdoc cref="CommitAsync(CancellationToken)"/>
    public void Commit() => Io.End(CommitAsync(IoMode.Blocking, CancellationToken.None));

    /// <summary>Rolls back; the session stays where it was.</summary>
    /// <exception cref="InvalidOperationException">It has ended before.</exception>
    public ValueTask RollbackAsync(CancellationToken cancellationToken = default) => RollbackAsync(IoMode.Async, cancellationToken);

    /// <inheritdoc cref="RollbackAsync(CancellationToken)"/>
    public void Rollback() => Io.End(RollbackAsync(IoMode.Blocking, CancellationToken.None));

    /// <summary>Rolls back unless it was committed, and gives the connection back.</summary>
    public async ValueTask DisposeAsync()
    {
        BeginDispose();
        await Connection.DisposeAsync().ConfigureAwait(false);
    }

    /// <inheritdoc cref="DisposeAsync"/>
    public void Dispose()
    {
        BeginDispose();
        Connection.Dispose();
    }

    internal static async ValueTask<TidemarkTransaction> BeginAsync(TidemarkDataSource source, SynchronousCommit synchronousCommit,
        IsolationLevel isolation, IoMode io, CancellationToken cancellationToken)
    {
        var setting = SettingOf(synchronousCommit);
        var connection = await source.OpenWriteAsync(source.CurrentSession, io, cancellationToken).ConfigureAwait(false);
        try
        {
            var transaction = await connection.BeginTransactionAsync(io, isolation, cancellationToken).ConfigureAwait(false);
            using var batch = Batch(connection, setting);
            if (await batch.ExecuteScalarAsync(io, cancellationToken).ConfigureAwait(false) is "")
                source.CommitAdvice.NobodyToWaitFor(synchronousCommit, setting);
            return new TidemarkTransaction(source, connection, transaction, synchronousCommit);
        }
        catch
        {
            Abandon(connection);
            await connection.DisposeAsync(io).ConfigureAwait(false);
            throw;
        }
    }

    // Npgsql sends BEGIN with the first statement, so all of it is one round trip. SET and SHOW take no snapshot: that is left to the
    // caller's own first
    // statement, before which a LOCK TABLE may stand.
    internal static NpgsqlBatch Batch(NpgsqlConnection connection, string setting)
    {
        var batch = new NpgsqlBatch(connection);
        batch.BatchCommands.Add(new NpgsqlBatchCommand($"SET LOCAL synchronous_commit = {setting}"));
        batch.BatchCommands.Add(new NpgsqlBatchCommand("SHOW synchronous_standby_names"));
        return batch;
    }

    internal static string SettingOf(SynchronousCommit synchronousCommit) => synchronousCommit switch
    {
        SynchronousCommit.Local => "local",
        SynchronousCommit.RemoteWrite => "remote_write",
        SynchronousCommit.On => "on",
        SynchronousCommit.RemoteApply => "remote_apply",
        SynchronousCommit.Off => "off",
        _ => throw new ArgumentOutOfRangeException(nameof(synchronousCommit), synchronousCommit,
            "There is no such level of synchronous commit."),
    };

    private async ValueTask CommitAsync(IoMode io, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        BeginEnd();
        Connection.Notice += OnNotice;
        bool isCommitted;
        try
        {
            isCommitted = await PositionedCommit.ExecuteAsync(Connection, _lease, io, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            Connection.Notice -= OnNotice;
            await Connection.DisposeAsync(io).ConfigureAwait(false);
        }

        Check(isCommitted);
    }

    private async ValueTask RollbackAsync(IoMode io, CancellationToken cancellationToken)
    {
        BeginEnd();
        _lease.RolledBack();
        try
        {
            await Transaction.RollbackAsync(io, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await Connection.DisposeAsync(io).ConfigureAwait(false);
        }
    }

    /// <summary>Nothing of the caller's was sent.</summary>
    private static void Abandon(NpgsqlConnection connection) => WriteLease.Of(connection)?.RolledBack();

    private void BeginEnd()
    {
        if (_isOver) throw new InvalidOperationException("The transaction has ended: it was committed, rolled back or disposed of before.");

        // Throws when the caller has ended it behind our back. COMMIT would then be a warning, and no commit.
        _ = Transaction.IsolationLevel;
        _isOver = true;
    }

    private void BeginDispose()
    {
        if (_isOver) return;
        _isOver = true;

        // Closing rolls back what is still open. What the caller ended through Transaction may have been committed: its position stays
        // pending.
        if (IsOpen()) _lease.RolledBack();
    }

    private bool IsOpen()
    {
        try
        {
            _ = Transaction.IsolationLevel;
            return true;
        }
        catch (Exception e) when (e is InvalidOperationException or ObjectDisposedException)
        {
            return false;
        }
    }

    private void OnNotice(object sender, NpgsqlNoticeEventArgs e) => IsWaitCancelled |= e.Notice.Routine == WaitRoutine;

    private void Check(bool isCommitted)
    {
        if (!isCommitted)
            throw new InvalidOperationException(
                "A statement of the transaction had failed before, so PostgreSQL rolled it back: nothing is committed.");
        if (IsWaitCancelled) Log.CommitWaitCancelled(_source.Cluster.Logger, SettingOf(SynchronousCommit));
    }
}
