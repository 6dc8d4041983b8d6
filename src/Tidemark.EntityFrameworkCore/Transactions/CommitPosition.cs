using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;

namespace Tidemark;

/// <summary>
/// Fetches the WAL position in the same round trip as the commit, so that the session immediately has the watermark for its reads. Leaves
/// alone a commit that another interceptor has taken over. Its position stays pending.
/// </summary>
internal sealed class CommitPosition : DbTransactionInterceptor
{
    public static CommitPosition Instance { get; } = new();

    public override InterceptionResult TransactionCommitting(DbTransaction transaction, TransactionEventData eventData,
        InterceptionResult result)
    {
        if (result.IsSuppressed || Lease(transaction) is not var (connection, lease)) return result;
        Io.Result(PositionedCommit.ExecuteAsync(connection, lease, IoMode.Blocking, CancellationToken.None));
        return InterceptionResult.Suppress();
    }

    public override async ValueTask<InterceptionResult> TransactionCommittingAsync(
        DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
    {
        if (result.IsSuppressed || Lease(transaction) is not var (connection, lease)) return result;
        await PositionedCommit.ExecuteAsync(connection, lease, IoMode.Async, cancellationToken).ConfigureAwait(false);
        return InterceptionResult.Suppress();
    }

    public override void TransactionRolledBack(DbTransaction transaction, TransactionEndEventData eventData) => EndOfRollback(eventData);

    public override Task TransactionRolledBackAsync(
        DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        EndOfRollback(eventData);
        return Task.CompletedTask;
    }

    /// <summary>
    /// Ends the answer on the lease, because an interceptor of the application may write on the connection before it is closed.
    /// </summary>
    private static void EndOfRollback(TransactionEndEventData ended)
    {
        if (ended.Context?.Database.GetDbConnection() is NpgsqlConnection connection) WriteLease.Of(connection)?.EndOfAnswer();
    }

    private static (NpgsqlConnection Connection, WriteLease Lease)? Lease(DbTransaction transaction) =>
        transaction.Connection is NpgsqlConnection connection && WriteLease.Of(connection) is { } lease ? (connection, lease) : null;
}
