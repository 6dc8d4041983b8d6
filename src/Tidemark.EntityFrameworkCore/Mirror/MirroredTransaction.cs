using System.Data;
using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace Tidemark;

/// <summary>
/// A transaction that the code under test began under a mirror: a savepoint in the test's transaction. The context never owns the
/// surrounding transaction. Disposing of this one therefore returns to the savepoint and leaves the test's transaction as it is.
/// </summary>
internal sealed class MirroredTransaction(
    IRelationalConnection connection,
    DbTransaction around,
    Guid transactionId,
    IDiagnosticsLogger<DbLoggerCategory.Database.Transaction> logger,
    ISqlGenerationHelper sqlGenerationHelper)
    : RoutedTransaction(connection, around, transactionId, logger, transactionOwned: false, sqlGenerationHelper)
{
    private bool _isOver;

    private bool IsLeftOpen => !_isOver && Mirror.ConnectionOf(this.GetDbTransaction()) is { FullState: ConnectionState.Open };

    public override void Dispose()
    {
        try
        {
            if (IsLeftOpen) MirrorSavepoint.RollBack(this.GetDbTransaction());
        }
        catch (PostgresException e) when (HasNone(e))
        {
        }

        base.Dispose();
    }

    public override async ValueTask DisposeAsync()
    {
        try
        {
            if (IsLeftOpen) await MirrorSavepoint.RollBackAsync(this.GetDbTransaction(), CancellationToken.None).ConfigureAwait(false);
        }
        catch (PostgresException e) when (HasNone(e))
        {
        }

        await base.DisposeAsync().ConfigureAwait(false);
    }

    protected override void ClearTransaction()
    {
        _isOver = true;
        base.ClearTransaction();
    }

    protected override Task ClearTransactionAsync(CancellationToken cancellationToken = default)
    {
        _isOver = true;
        return base.ClearTransactionAsync(cancellationToken);
    }

    // If the test has ended its transaction, this one has ended with it.
    private static bool HasNone(PostgresException e) => e.SqlState == PostgresErrorCodes.NoActiveSqlTransaction;
}
