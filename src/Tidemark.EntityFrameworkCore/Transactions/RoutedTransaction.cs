using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace Tidemark;

/// <summary>
/// A transaction of a routed context. Its outcome counts only while commit or rollback runs. If the connection closes with it, nothing else
/// was done on the connection. If the connection stays open, the user opened it and may write more, so the position is pending.
/// </summary>
internal class RoutedTransaction(
    IRelationalConnection connection,
    DbTransaction transaction,
    Guid transactionId,
    IDiagnosticsLogger<DbLoggerCategory.Database.Transaction> logger,
    bool transactionOwned,
    ISqlGenerationHelper sqlGenerationHelper)
    : RelationalTransaction(connection, transaction, transactionId, logger, transactionOwned, sqlGenerationHelper)
{
    private readonly WriteLease? _lease = transaction.Connection is NpgsqlConnection npgsql ? WriteLease.Of(npgsql) : null;

    private readonly ReadOnlyTransaction? _readOnly = OptionalRouting.Of(connection.Context)?.ReadOnlyTransaction;
    private readonly TimeProvider _time = OptionalRouting.Of(connection.Context)?.Source.Time ?? TimeProvider.System;
    private TidemarkDataSource? _source;
    private string _setting = "";
    private bool _isWaitCancelled;

    /// <summary>Watches for a cancelled wait during a commit that waits for replicas under this setting, and logs it.</summary>
    public void WatchWait(TidemarkDataSource source, string setting) => (_source, _setting) = (source, setting);

    public override void Commit()
    {
        using (Watch())
        {
            if (_lease is null) base.Commit();
            else Io.End(CommitAsync(_lease, IoMode.Blocking, CancellationToken.None));
        }

        _lease?.Forget();
        LogCancelledWait();
    }

    public override async Task CommitAsync(CancellationToken cancellationToken = default)
    {
        using (Watch())
        {
            if (_lease is null) await base.CommitAsync(cancellationToken).ConfigureAwait(false);
            else await CommitAsync(_lease, IoMode.Async, cancellationToken).ConfigureAwait(false);
        }

        _lease?.Forget();
        LogCancelledWait();
    }

    public override void Rollback()
    {
        _lease?.RolledBack();
        base.Rollback();
        _lease?.Forget();
    }

    public override async Task RollbackAsync(CancellationToken cancellationToken = default)
    {
        _lease?.RolledBack();
        await base.RollbackAsync(cancellationToken).ConfigureAwait(false);
        _lease?.Forget();
    }

    /// <summary>Called when the transaction has ended, by commit, rollback or disposal.</summary>
    protected override void ClearTransaction()
    {
        base.ClearTransaction();
        _readOnly?.End();
    }

    /// <inheritdoc cref="ClearTransaction"/>
    protected override async Task ClearTransactionAsync(CancellationToken cancellationToken = default)
    {
        await base.ClearTransactionAsync(cancellationToken).ConfigureAwait(false);
        if (_readOnly is not null) await _readOnly.EndAsync().ConfigureAwait(false);
    }

    /// <summary>
    /// Commits as EF Core does, with the same events, but reads the position in the round trip of the COMMIT. Interceptors of the
    /// application decide before anything is sent.
    /// </summary>
    private async ValueTask CommitAsync(WriteLease lease, IoMode io, CancellationToken cancellationToken)
    {
        var transaction = this.GetDbTransaction();
        var (time, start) = (_time.GetUtcNow(), _time.GetTimestamp());
        try
        {
            var interception = io == IoMode.Async
                ? await Logger.TransactionCommittingAsync(Connection, transaction, TransactionId, time, cancellationToken)
                    .ConfigureAwait(false)
                : Logger.TransactionCommitting(Connection, transaction, TransactionId, time);
            if (!interception.IsSuppressed)
            {
                // Throws what Npgsql's own commit throws if the transaction has ended. COMMIT would only be a warning then.
                _ = transaction.IsolationLevel;
                await PositionedCommit.ExecuteAsync((NpgsqlConnection)transaction.Connection!, lease, io, cancellationToken)
                    .ConfigureAwait(false);
            }

            var duration = _time.GetElapsedTime(start);
            if (io == IoMode.Blocking) Logger.TransactionCommitted(Connection, transaction, TransactionId, time, duration);
            else
                await Logger.TransactionCommittedAsync(Connection, transaction, TransactionId, time, duration, cancellationToken)
                    .ConfigureAwait(false);
        }
        catch (Exception failure)
        {
            var duration = _time.GetElapsedTime(start);
            if (io == IoMode.Blocking) Logger.TransactionError(Connection, transaction, TransactionId, "Commit", failure, time, duration);
            else
                await Logger.TransactionErrorAsync(
                    Connection, transaction, TransactionId, "Commit", failure, time, duration, cancellationToken).ConfigureAwait(false);
            throw;
        }

        if (io == IoMode.Blocking) ClearTransaction();
        else await ClearTransactionAsync(cancellationToken).ConfigureAwait(false);
    }

    private Watching? Watch() =>
        _source is not null && Connection.DbConnection is NpgsqlConnection npgsql ? new Watching(this, npgsql) : null;

    private void LogCancelledWait()
    {
        if (_isWaitCancelled) Log.CommitWaitCancelled(_source!.Cluster.Logger, _setting);
    }

    private sealed class Watching : IDisposable
    {
        private readonly RoutedTransaction _transaction;
        private readonly NpgsqlConnection _connection;

        public Watching(RoutedTransaction transaction, NpgsqlConnection connection)
        {
            (_transaction, _connection) = (transaction, connection);
            connection.Notice += OnNotice;
        }

        public void Dispose() => _connection.Notice -= OnNotice;

        private void OnNotice(object sender, NpgsqlNoticeEventArgs e) =>
            _transaction._isWaitCancelled |= e.Notice.Routine == TidemarkTransaction.WaitRoutine;
    }
}
