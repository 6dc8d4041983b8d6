using System.Data.Common;
using Npgsql;

namespace Tidemark;

/// <summary>The savepoint in the test's transaction that stands for a transaction of the code under test.</summary>
internal static class MirrorSavepoint
{
    // A rollback also releases the savepoint, because PostgreSQL keeps a savepoint that is only rolled back to.
    private const string BeginSql = "SAVEPOINT tidemark_transaction";
    private const string CommitSql = "RELEASE SAVEPOINT tidemark_transaction";
    private const string RollbackSql = "ROLLBACK TO SAVEPOINT tidemark_transaction; RELEASE SAVEPOINT tidemark_transaction";

    public static void Begin(DbTransaction around) => Run(around, BeginSql);

    public static Task BeginAsync(DbTransaction around, CancellationToken cancellationToken) =>
        RunAsync(around, BeginSql, cancellationToken);

    public static void Commit(DbTransaction around)
    {
        try
        {
            Run(around, CommitSql);
        }
        catch (PostgresException e) when (IsFailed(e))
        {
            RollBack(around);
        }
    }

    public static async Task CommitAsync(DbTransaction around, CancellationToken cancellationToken)
    {
        try
        {
            await RunAsync(around, CommitSql, cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException e) when (IsFailed(e))
        {
            await RollBackAsync(around, cancellationToken).ConfigureAwait(false);
        }
    }

    public static void RollBack(DbTransaction around) => Run(around, RollbackSql);

    public static Task RollBackAsync(DbTransaction around, CancellationToken cancellationToken) =>
        RunAsync(around, RollbackSql, cancellationToken);

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
