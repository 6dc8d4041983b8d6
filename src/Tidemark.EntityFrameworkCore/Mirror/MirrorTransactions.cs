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
    // A rollback also releases the savepoint, because PostgreSQL keeps a savepoint that is only rolled back to.
    private const string Begin = "SAVEPOINT tidemark_transaction";
    private const string Commit = "RELEASE SAVEPOINT tidemark_transaction";
    private const string Rollback = "ROLLBACK TO SAVEPOINT tidemark_transaction; RELEASE SAVEPOINT tidemark_transaction";

    public static MirrorTransactions Instance { get; } = new();

    public override InterceptionResult<DbTransaction> TransactionStarting(
        DbConnection connection, TransactionStartingEventData eventData, InterceptionResult<DbTransaction> result)
    {
        if (result.HasResult || Around(connection, eventData) is not { } around) return result;
        Run(around, Begin);
        return InterceptionResult<DbTransaction>.SuppressWithResult(around);
    }

    public override async ValueTask<InterceptionResult<DbTransaction>> TransactionStartingAsync(
        DbConnection connection, TransactionStartingEventData eventData, InterceptionResult<DbTransaction> result,
            CancellationToken cancellationToken = default)
    {
        if (result.HasResult || Around(connection, eventData) is not { } around) return result;
        await RunAsync(around, Begin, cancellationToken).ConfigureAwait(false);
        return InterceptionResult<DbTransaction>.SuppressWithResult(around);
    }

    public override InterceptionResult TransactionCommitting(DbTransaction transaction, TransactionEventData eventData,
        InterceptionResult result)
    {
        if (result.IsSuppressed || !IsSavepoint(eventData)) return result;
        try
        {
            Run(transaction, Commit);
        }
        catch (PostgresException e) when (IsFailed(e))
        {
            RollBack(transaction);
        }

        return InterceptionResult.Suppress();
    }

    public override async ValueTask<InterceptionResult> TransactionCommittingAsync(
        DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
    {
        if (result.IsSuppressed || !IsSavepoint(eventData)) return result;
        try
        {
            await RunAsync(transaction, Commit, cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException e) when (IsFailed(e))
        {
            await RollBackAsync(transaction, cancellationToken).ConfigureAwait(false);
        }

        return InterceptionResult.Suppress();
    }

    public override InterceptionResult TransactionRollingBack(DbTransaction transaction, TransactionEventData eventData,
        InterceptionResult result)
    {
        if (result.IsSuppressed || !IsSavepoint(eventData)) return result;
        RollBack(transaction);
        return InterceptionResult.Suppress();
    }

    public override async ValueTask<InterceptionResult> TransactionRollingBackAsync(
        DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
    {
        if (result.IsSuppressed || !IsSavepoint(eventData)) return result;
        await RollBackAsync(transaction, cancellationToken).ConfigureAwait(false);
        return InterceptionResult.Suppress();
    }

    public static void RollBack(DbTransaction around) => Run(around, Rollback);

    public static Task RollBackAsync(DbTransaction around, CancellationToken cancellationToken) =>
        RunAsync(around, Rollback, cancellationToken);

    private static NpgsqlTransaction? Around(DbConnection connection, DbContextEventData eventData) =>
        ContextRouting.Of(eventData.Context)?.Mirror is { } mirror && ReferenceEquals(mirror.Connection, connection)
            ? mirror.Transaction : null;

    private static bool IsSavepoint(DbContextEventData eventData) => eventData.Context?.Database.CurrentTransaction is MirroredTransaction;

    // When a failed transaction is committed, PostgreSQL rolls it back without raising an error.
    private static bool IsFailed(PostgresException e) => e.SqlState == PostgresErrorCodes.InFailedSqlTransaction;

    private static void Run(DbTransaction around, string sql)
    {
        using var command = new NpgsqlCommand(sql, (NpgsqlConnection?)around.Connection);
        command.ExecuteNonQuery();
    }

    private static async Task RunAsync(DbTransaction around, string sql, CancellationToken cancellationToken)
    {
        using var command = new NpgsqlCommand(sql, (NpgsqlConnection?)around.Connection);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }
}
