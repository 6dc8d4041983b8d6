using System.Globalization;
using Npgsql;
using NpgsqlTypes;

namespace Tidemark.Verification;

/// <summary>
/// The table that is written and read. A trigger records every write in the WAL next to its commit (<c>pg_logical_emit_message</c>). The
/// WAL alone therefore shows what was committed in which order, independent of the writer and of the outcome that the writer received.
/// </summary>
/// <param name="schema">
/// The schema to create the table in, which is created and dropped with it, or <see langword="null"/> for the first schema in the role's
/// search path.
/// </param>
internal sealed class RegisterTable(string? schema = null)
{
    private const string EndNote = "end";

    /// <summary>The name without the schema. It is also the message prefix that distinguishes several recorders in one database.</summary>
    public string Note { get; } = "tidemark_reg_" + Guid.NewGuid().ToString("N")[..8];

    public string Name => schema is null ? Note : $"{schema}.{Note}";

    /// <summary>Name of the table of writes in commit order, if a <see cref="CommitOrder"/> needs one.</summary>
    public string Log => Name + "_log";

    public string WriteSql => $"UPDATE {Name} SET ver = ver + 1, val = @val WHERE k = @k RETURNING ver";

    /// <summary>One statement, so that the rows and the node that shows them belong together.</summary>
    public string ReadSql => $"SELECT k, ver, val, {ServerSql}, pg_is_in_recovery() FROM {Name} WHERE k = ANY(@keys)";

    /// <summary>The address and port that the server itself reports, independent of proxies between it and the client.</summary>
    public static string ServerSql => "concat(host(inet_server_addr()), ':', current_setting('port'))";

    /// <summary>Parses a message. Returns <see langword="null"/> for a message of this table that is not a write.</summary>
    public static NotedWrite? Parse(string note)
    {
        var fields = note.Split(' ');
        return fields.Length == 3 ? new NotedWrite(Number(fields[0]), Number(fields[1]), Number(fields[2])) : null;
        static long Number(string text) => long.Parse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
    }

    // One row that every write updates last: the transaction that holds its lock is the next to commit.
    private string Turn => Name + "_turn";

    /// <summary>Creates the table.</summary>
    /// <param name="connectionString">Connection string of the primary.</param>
    /// <param name="keys">Number of rows.</param>
    /// <param name="keepsLog">Whether writes commit one at a time and record themselves in <see cref="Log"/>.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    public async Task CreateAsync(string connectionString, int keys, bool keepsLog, CancellationToken cancellationToken)
    {
        var log = !keepsLog ? "" : $"""
            CREATE TABLE {Turn} (k int PRIMARY KEY, n bigint NOT NULL) WITH (fillfactor = 10);
            INSERT INTO {Turn} VALUES (0, 0);
            CREATE TABLE {Log} (n bigint NOT NULL, k bigint NOT NULL, ver bigint NOT NULL, val bigint NOT NULL);
            """;
        var takeTurn = !keepsLog ? "" : $"UPDATE {Turn} SET n = n + 1; INSERT INTO {Log} SELECT n, NEW.k, NEW.ver, NEW.val FROM {Turn};";
        await RunAsync(connectionString, $"""
            BEGIN;
            {(schema is null ? "" : $"CREATE SCHEMA {schema};")}
            {log}
            CREATE TABLE {Name} (k int PRIMARY KEY, ver bigint NOT NULL, val bigint NOT NULL) WITH (fillfactor = 50);
            INSERT INTO {Name} SELECT k, 0, 0 FROM generate_series(0, {keys - 1}) AS k;
            CREATE FUNCTION {Name}_note() RETURNS trigger LANGUAGE plpgsql AS
                'BEGIN
                    {takeTurn}
                    PERFORM pg_logical_emit_message(true, TG_TABLE_NAME::text, concat_ws('' '', NEW.k, NEW.ver, NEW.val));
                    RETURN NULL;
                END';
            CREATE TRIGGER note AFTER UPDATE ON {Name} FOR EACH ROW EXECUTE FUNCTION {Name}_note();
            COMMIT
            """, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Waits until the writes that were sent have ended, including abandoned ones, and records the end in the WAL, flushed.
    /// </summary>
    public Task EndAsync(string connectionString, CancellationToken cancellationToken) => RunAsync(connectionString, $"""
        BEGIN;
        SET LOCAL synchronous_commit = local;
        LOCK TABLE {Name} IN EXCLUSIVE MODE;
        SELECT pg_logical_emit_message(true, '{Note}', '{EndNote}');
        COMMIT
        """, cancellationToken);

    public Task DropAsync(string connectionString, CancellationToken cancellationToken) =>
        RunAsync(connectionString, schema is null
            ? $"DROP TABLE IF EXISTS {Name}, {Turn}, {Log}; DROP FUNCTION IF EXISTS {Name}_note"
            : $"DROP SCHEMA IF EXISTS {schema} CASCADE", cancellationToken);

    /// <summary>Returns whether a node shows the table.</summary>
    public Task<bool> IsOnAsync(string connectionString, CancellationToken cancellationToken) =>
        QueryAsync(connectionString, $"SELECT to_regclass('{Name}') IS NOT NULL", reader => reader.GetBoolean(0), cancellationToken);

    /// <summary>Returns the timeline and the end of the WAL of a primary.</summary>
    public static Task<(uint Timeline, NpgsqlLogSequenceNumber Position)> PositionOfAsync(string connectionString,
        CancellationToken cancellationToken) => QueryAsync(
        connectionString,
        "SELECT left(pg_walfile_name(pg_current_wal_insert_lsn()), 8), pg_current_wal_flush_lsn()",
        reader => (uint.Parse(reader.GetString(0), NumberStyles.HexNumber, CultureInfo.InvariantCulture),
            reader.GetFieldValue<NpgsqlLogSequenceNumber>(1)),
        cancellationToken);

    /// <summary>Returns the address that a node reports, and whether it is a primary.</summary>
    public static Task<(string Server, bool IsPrimary)> ServerOfAsync(string connectionString, CancellationToken cancellationToken) =>
        QueryAsync(
        connectionString, $"SELECT {ServerSql}, NOT pg_is_in_recovery()", reader => (reader.GetString(0), reader.GetBoolean(1)),
            cancellationToken);

    public static async Task RunAsync(string connectionString, string sql, CancellationToken cancellationToken) =>
        await QueryAsync(connectionString, sql, static _ => 0, cancellationToken).ConfigureAwait(false);

    // Each query uses a connection of its own, so that no connection stays open on a server that is stopped.
    public static async Task<T> QueryAsync<T>(string connectionString, string sql, Func<NpgsqlDataReader, T> row,
        CancellationToken cancellationToken)
    {
        var connection = new NpgsqlConnection(connectionString + ";Pooling=false;Application Name=tidemark-history");
        await using (connection.ConfigureAwait(false))
        {
            await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
            using var command = new NpgsqlCommand(sql, connection);
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                var answer = await reader.ReadAsync(cancellationToken).ConfigureAwait(false) ? row(reader) : default;
                while (await reader.NextResultAsync(cancellationToken).ConfigureAwait(false))
                {
                }

                return answer!;
            }
        }
    }
}
