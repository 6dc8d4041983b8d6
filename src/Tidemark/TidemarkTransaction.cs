using System.Data;
using Npgsql;

namespace Tidemark;

/// <summary>
/// A transaction on the primary with its own <see cref="SynchronousCommit"/> level. It owns its connection and returns it to the pool when
/// the transaction ends. Disposing an open transaction rolls it back. Not safe for concurrent use. Tidemark never retries it.
/// </summary>
public sealed class TidemarkTransaction : IAsyncDisposable, IDisposable
{
    // The function in PostgreSQL's source that waits for replicas. Unlike the message text, it is not translated.
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

    /// <summary>The connection on which the transaction is open. It is closed when the transaction ends.</summary>
    public NpgsqlConnection Connection { get; }

    /// <summary>
    /// The underlying transaction, for savepoints and for libraries that need it. End it with
    /// <see cref="CommitAsync(CancellationToken)"/>. If it is ended directly, the session's next read must query its position.
    /// </summary>
    public NpgsqlTransaction Transaction { get; }

    /// <summary>What the commit waits for.</summary>
    public SynchronousCommit SynchronousCommit { get; }

    /// <summary>
    /// <see langword="true"/> if the transaction is committed, but the wait for the synchronous replicas was cancelled, so they may lack
    /// it. The wait ends early because of the cancellation token, <c>statement_timeout</c>, the command time-out or
    /// <c>pg_cancel_backend</c>. Logged as <c>CommitWaitCancelled</c>. It is not an exception, because the transaction must not be retried.
    /// </summary>
    public bool IsWaitCancelled { get; private set; }

    /// <summary>
    /// Commits, and returns after the wait that <see cref="SynchronousCommit"/> specifies. The session then has the position of the commit.
    /// </summary>
    /// <param name="cancellationToken">
    /// Cancels the wait for the replicas. The transaction is committed nevertheless, and <see cref="IsWaitCancelled"/> is set. If cancelled
    /// before anything is sent, the method throws and the transaction stays open.
    /// </param>
    /// <exception cref="InvalidOperationException">
    /// The transaction has already ended. Or a statement in it had failed, so PostgreSQL rolled it back and nothing is committed.
    /// </exception>
    /// <exception cref="NpgsqlException">
    /// The commit failed. If the connection broke, it is unknown whether the transaction was committed.
    /// </exception>
    public ValueTask CommitAsync(CancellationToken cancellationToken = default) => CommitAsync(IoMode.Async, cancellationToken);

    /// <inheritdoc cref="CommitAsync(CancellationToken)"/>
    public void Commit() => Io.End(CommitAsync(IoMode.Blocking, CancellationToken.None));

    /// <summary>Rolls back. The session is unchanged.</summary>
    /// <exception cref="InvalidOperationException">The transaction has already ended.</exception>
    public ValueTask RollbackAsync(CancellationToken cancellationToken = default) => RollbackAsync(IoMode.Async, cancellationToken);

    /// <inheritdoc cref="RollbackAsync(CancellationToken)"/>
    public void Rollback() => Io.End(RollbackAsync(IoMode.Blocking, CancellationToken.None));

    /// <summary>Rolls back the transaction unless it was committed, and returns the connection to the pool.</summary>
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
                source.CommitAdvice.NoReplicaToWaitFor(synchronousCommit, setting);
            return new TidemarkTransaction(source, connection, transaction, synchronousCommit);
        }
        catch
        {
            Abandon(connection);
            await connection.DisposeAsync(io).ConfigureAwait(false);
            throw;
        }
    }

    // Npgsql sends BEGIN with the first statement, so this takes one round trip. SET and SHOW take no snapshot. The snapshot is taken by
    // the caller's first statement, so that a LOCK TABLE can precede it.
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
            "The value is not a defined synchronous commit level."),
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

    /// <summary>Rolls back the lease, because no statement of the caller was sent.</summary>
    private static void Abandon(NpgsqlConnection connection) => WriteLease.Of(connection)?.RolledBack();

    private void BeginEnd()
    {
        if (_isOver) throw new InvalidOperationException("The transaction has already been committed, rolled back or disposed.");

        // Throws if the caller has ended the transaction directly. PostgreSQL would answer COMMIT with a warning and commit nothing.
        _ = Transaction.IsolationLevel;
        _isOver = true;
    }

    private void BeginDispose()
    {
        if (_isOver) return;
        _isOver = true;

        // Closing rolls back an open transaction. One that the caller ended through Transaction may have been committed, so its position
        // stays pending.
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
                "A statement in the transaction had failed, so PostgreSQL rolled it back. Nothing was committed.");
        if (IsWaitCancelled) Log.CommitWaitCancelled(_source.Cluster.Logger, SettingOf(SynchronousCommit));
    }
}
