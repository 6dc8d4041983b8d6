using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;

namespace Tidemark;

/// <summary>
/// Ends the answer of a rollback on the lease of its connection, because an interceptor of the application may write on the connection
/// before it is closed.
/// </summary>
internal sealed class RollbackWatcher : DbTransactionInterceptor
{
    public static RollbackWatcher Instance { get; } = new();

    public override void TransactionRolledBack(DbTransaction transaction, TransactionEndEventData eventData) => EndOfRollback(eventData);

    public override Task TransactionRolledBackAsync(
        DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        EndOfRollback(eventData);
        return Task.CompletedTask;
    }

    private static void EndOfRollback(TransactionEndEventData ended)
    {
        if (ended.Context?.Database.GetDbConnection() is NpgsqlConnection connection) WriteLease.Of(connection)?.EndOfAnswer();
    }
}
