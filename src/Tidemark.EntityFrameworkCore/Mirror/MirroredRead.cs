using System.Data;
using Npgsql;

namespace Tidemark;

/// <summary>
/// A read that plays on a replica. From beginning to end, PostgreSQL refuses to write on the shared connection (25006), as a standby does.
/// A savepoint preserves the test's transaction. Without a transaction, the read runs in its own.
/// </summary>
internal sealed class MirroredRead
{
    // The end of a subtransaction restores the access mode of the surrounding transaction, however it ends.
    private const string Begin = "SAVEPOINT tidemark_mirror; SET TRANSACTION READ ONLY";
    private const string End = "ROLLBACK TO SAVEPOINT tidemark_mirror; RELEASE SAVEPOINT tidemark_mirror";
    private const string BeginAlone = "BEGIN READ ONLY";
    private const string EndAlone = "ROLLBACK";

    private readonly NpgsqlConnection _connection;
    private readonly string _end;

    private MirroredRead(NpgsqlConnection connection, string end) => (_connection, _end) = (connection, end);

    public static async ValueTask<MirroredRead> BeginAsync(NpgsqlConnection connection, IoMode io, CancellationToken cancellationToken)
    {
        try
        {
            await RunAsync(connection, Begin, io, cancellationToken).ConfigureAwait(false);
            return new MirroredRead(connection, End);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.NoActiveSqlTransaction)
        {
            await RunAsync(connection, BeginAlone, io, cancellationToken).ConfigureAwait(false);
            return new MirroredRead(connection, EndAlone);
        }
    }

    /// <summary>Ends the read after its rows were read or it has failed. In either case, the connection may write again.</summary>
    public ValueTask EndAsync(IoMode io) =>
        _connection.FullState == ConnectionState.Open
            ? RunAsync(_connection, _end, io, CancellationToken.None) : ValueTask.CompletedTask;

    private static async ValueTask RunAsync(NpgsqlConnection connection, string sql, IoMode io, CancellationToken cancellationToken)
    {
        using var command = new NpgsqlCommand(sql, connection);
        if (io == IoMode.Async) await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        else command.ExecuteNonQuery();
    }
}
