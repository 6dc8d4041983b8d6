using System.Data;
using Npgsql;

namespace Tidemark;

/// <summary>
/// A read that plays on a replica: from beginning to end PostgreSQL refuses to write on the shared connection (25006), as a standby does. A
/// savepoint keeps the
/// test's transaction as it was before; where there is no transaction, the read has one of its own.
/// </summary>
internal sealed class MirroredRead
{
    // Ending a subtransaction gives back the mode of the one around it, whichever way it ends.
    private const string Begin = "SAVEPOINT tidemark_mirror; SET TRANSACTION READ ONLY";
    private const string End = "ROLLBACK TO SAVEPOINT tidemark_mirror; RELEASE SAVEPOINT tidemark_mirror";
    private const string BeginAlone = "BEGIN READ ONLY";
    private const string EndAlone = "ROLLBACK";

    private readonly NpgsqlConnection _connection;
    private readonly string _end;

    private MirroredRead(NpgsqlConnection connection, string end) => (_connection, _end) = (connection, end);

    public static async ValueTask<MirroredRead> BeginAsync(NpgsqlConnection connection, bool isAsync, CancellationToken cancellationToken)
    {
        try
        {
            await RunAsync(connection, Begin, isAsync, cancellationToken).ConfigureAwait(false);
            return new MirroredRead(connection, End);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.NoActiveSqlTransaction)
        {
            await RunAsync(connection, BeginAlone, isAsync, cancellationToken).ConfigureAwait(false);
            return new MirroredRead(connection, EndAlone);
        }
    }

    /// <summary>The rows were read, or the read has failed: either way the connection may write again.</summary>
    public ValueTask EndAsync(bool isAsync) =>
        _connection.FullState == ConnectionState.Open
            ? RunAsync(_connection, _end, isAsync, CancellationToken.None) : ValueTask.CompletedTask;

    private static async ValueTask RunAsync(NpgsqlConnection connection, string sql, bool isAsync, CancellationToken cancellationToken)
    {
        using var command = new NpgsqlCommand(sql, connection);
        if (isAsync) await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        else command.ExecuteNonQuery();
    }
}
