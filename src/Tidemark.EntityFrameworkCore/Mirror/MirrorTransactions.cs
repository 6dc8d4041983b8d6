using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;

namespace Tidemark;

/// <summary>
/// Maps the transactions of the code under test to savepoints, under a mirror whose test holds a transaction. A begin sets a savepoint in
/// it, a commit releases the savepoint, and a rollback returns to it.
/// </summary>
internal sealed class MirrorTransactions : DbTransactionInterceptor
{
    public static MirrorTransactions Instance { get; } = new();

    public override InterceptionResult<DbTransaction> TransactionStarting(
        DbConnection connection, TransactionStartingEventData eventData, InterceptionResult<DbTransaction> result)
    {
        if (result.HasResult || Around(connection, eventData) is not { } around) return result;
        MirrorSavepoint.Begin(around);
        return InterceptionResult<DbTransaction>.SuppressWithResult(around);
    }

    public override async ValueTask<InterceptionResult<DbTransaction>> TransactionStartingAsync(
        DbConnection connection, TransactionStartingEventData eventData, InterceptionResult<DbTransaction> result,
            CancellationToken cancellationToken = default)
    {
        if (result.HasResult || Around(connection, eventData) is not { } around) return result;
        await MirrorSavepoint.BeginAsync(around, cancellationToken).ConfigureAwait(false);
        return InterceptionResult<DbTransaction>.SuppressWithResult(around);
    }

    public override InterceptionResult TransactionCommitting(DbTransaction transaction, TransactionEventData eventData,
        InterceptionResult result)
    {
        if (result.IsSuppressed || !IsSavepoint(eventData)) return result;
        MirrorSavepoint.Commit(transaction);
        return InterceptionResult.Suppress();
    }

    public override async ValueTask<InterceptionResult> TransactionCommittingAsync(
        DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
    {
        if (result.IsSuppressed || !IsSavepoint(eventData)) return result;
        await MirrorSavepoint.CommitAsync(transaction, cancellationToken).ConfigureAwait(false);
        return InterceptionResult.Suppress();
    }

    public override InterceptionResult TransactionRollingBack(DbTransaction transaction, TransactionEventData eventData,
        InterceptionResult result)
    {
        if (result.IsSuppressed || !IsSavepoint(eventData)) return result;
        MirrorSavepoint.RollBack(transaction);
        return InterceptionResult.Suppress();
    }

    public override async ValueTask<InterceptionResult> TransactionRollingBackAsync(
        DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
    {
        if (result.IsSuppressed || !IsSavepoint(eventData)) return result;
        await MirrorSavepoint.RollBackAsync(transaction, cancellationToken).ConfigureAwait(false);
        return InterceptionResult.Suppress();
    }

    private static NpgsqlTransaction? Around(DbConnection connection, DbContextEventData eventData) =>
        MirrorAccess.Of(eventData.Context, connection)?.Transaction;

    private static bool IsSavepoint(DbContextEventData eventData) => eventData.Context?.Database.CurrentTransaction is MirroredTransaction;
}
