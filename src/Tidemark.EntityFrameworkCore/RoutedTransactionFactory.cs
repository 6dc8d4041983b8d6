using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace Tidemark;

/// <summary>Makes transactions that tell their connection's lease how they ended.</summary>
internal sealed class RoutedTransactionFactory(RelationalTransactionFactoryDependencies dependencies) : RelationalTransactionFactory(dependencies)
{
    public override RelationalTransaction Create(
        IRelationalConnection connection,
        DbTransaction transaction,
        Guid transactionId,
        IDiagnosticsLogger<DbLoggerCategory.Database.Transaction> logger,
        bool transactionOwned) =>
        new Transaction(connection, transaction, transactionId, logger, transactionOwned, Dependencies.SqlGenerationHelper);

    /// <summary>
    /// The outcome counts only while commit or rollback runs: when the connection closes with it, nothing else was done on it. When it stays open,
    /// it was opened by the user, who may write more; the position is pending then.
    /// </summary>
    private sealed class Transaction(
        IRelationalConnection connection,
        DbTransaction transaction,
        Guid transactionId,
        IDiagnosticsLogger<DbLoggerCategory.Database.Transaction> logger,
        bool transactionOwned,
        ISqlGenerationHelper sqlGenerationHelper)
        : RelationalTransaction(connection, transaction, transactionId, logger, transactionOwned, sqlGenerationHelper)
    {
        private readonly WriteLease? _lease = transaction.Connection is NpgsqlConnection npgsql ? WriteLease.Of(npgsql) : null;

        public override void Commit()
        {
            base.Commit();
            _lease?.Outcome = null;
        }

        public override async Task CommitAsync(CancellationToken cancellationToken = default)
        {
            await base.CommitAsync(cancellationToken).ConfigureAwait(false);
            _lease?.Outcome = null;
        }

        public override void Rollback()
        {
            _lease?.Outcome = WriteOutcome.RolledBack;
            base.Rollback();
            _lease?.Outcome = null;
        }

        public override async Task RollbackAsync(CancellationToken cancellationToken = default)
        {
            _lease?.Outcome = WriteOutcome.RolledBack;
            await base.RollbackAsync(cancellationToken).ConfigureAwait(false);
            _lease?.Outcome = null;
        }
    }
}
