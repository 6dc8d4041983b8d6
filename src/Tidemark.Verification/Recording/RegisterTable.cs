using System.Globalization;
using Npgsql;
using NpgsqlTypes;

namespace Tidemark.Verification;

/// <summary>
/// The table that is written and read. A trigger notes every write in the WAL beside its commit (<c>pg_logical_emit_message</c>), so that
/// the WAL alone tells what was committed in which order, whoever wrote it and whatever the writer was told.
/// </summary>
/// <param name="schema">The schema to make it in, which is made and dropped with it; null for the first of the role's search path.</param>
internal sealed class RegisterTable(string? schema = null)
{
    private const string EndNote = "end";

    /// <summary>
    /// The name without the schema. As a prefix of messages it also keeps apart what several recorders note in one database.
    /// </summary>
    public string Note { get; } = "tidemark_reg_" + Guid.NewGuid().ToString("N")[..8];

    public string Name => schema is null ? Note : $"{schema}.{Note}";

    /// <summary>What was written, in the order of commits, where a <see cref="CommitOrder"/> asks for it.</summary>
    public string Log => Name + "_log";

    public string WriteSql => $"UPDATE {Name} SET ver = ver + 1, val = @val WHERE k = @k RETURNING ver";

    /// <summary>One statement, so that the rows and the node that shows them belong together.</summary>
    public string ReadSql => $"SELECT k, ver, val, {ServerSql}, pg_is_in_recovery() FROM {Name} WHERE k = ANY(@keys)";

    /// <summary>The server's own address and port, whatever stands between it and us.</summary>
    public static string ServerSql => "concat(host(inet_server_addr()), ':', current_setting('port'))";

    /// <summary>What a note says; null for one that is of this table and no write.</summary>
    public static NotedWrite? Parse(string note)
    {
        var fields = note.Split(' ');
        return fields.Length == 3 ? new NotedWrite(Number(fields[0]), Number(fields[1]), Number(fields[2])) : null;
        static long Number(string text) => long.Parse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
    }

    // One row that every write updates last: whoever holds it is the next to commit.
    private string Turn => Name + "_turn";

    /// <summary>Makes it.</summary>
    /// <param name="connectionString">How to reach the primary.</param>
    /// <param name="keys">How many rows.</param>
    /// <param name="keepsLog">Writes take turns to commit and note themselves in <see cref="Log"/>.</param>
    /// <param name="cancellationToken">Gives up.</param>
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
                'BEGIN {takeTurn} PERFORM pg_logical_emit_message(true, TG_TABLE_NAME::text, concat_ws('' '', NEW.k, NEW.ver, NEW.val)); RETURN NULL; END';
            CREATE TRIGGER note AFTER UPDATE ON {Name} FOR EACH ROW EXECUTE FUNCTION {Name}_note();
            COMMIT
            """, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Waits until the writes that were sent have ended, whoever still waits for them, and notes the end in the WAL, flushed.
    /// </summary>
    public Task EndAsync(string connectionString, CancellationToken cancellationToken) => RunAsync(connectionString, $"""
        BEGIN; SET LOCAL synchronous_commit = local; LOCK TABLE {Name} IN EXCLUSIVE MODE; SELECT pg_logical_emit_message(true, '{Note}', '{EndNote}'); COMMIT
        """, cancellationToken);

    public Task DropAsync(string connectionString, CancellationToken cancellationToken) =>
        RunAsync(connectionString, schema is null
            ? $"DROP TABLE IF EXISTS {Name}, {Turn}, {Log}; DROP FUNCTION IF EXISTS {Name}_note"
            : $"DROP SCHEMA IF EXISTS {schema} CASCADE", cancellationToken);

    /// <summary>Whether a node shows the table.</summary>
    public Task<bool> IsOnAsync(string connectionString, CancellationToken cancellationToken) =>
        AskAsync(connectionString, $"SELECT to_regclass('{Name}') IS NOT NULL", reader => reader.GetBoolean(0), cancellationToken);

    /// <summary>The timeline and the end of the WAL of a primary.</summary>
    public static Task<(uint Timeline, NpgsqlLogSequenceNumber Position)> PositionOfAsync(string connectionString,
        CancellationToken cancellationToken) => AskAsync(
        connectionString,
        "SELECT left(pg_walfile_name(pg_current_wal_insert_lsn()), 8), pg_current_wal_flush_lsn()",
        reader => (uint.Parse(reader.GetString(0), NumberStyles.HexNumber, CultureInfo.InvariantCulture),
            reader.GetFieldValue<NpgsqlLogSequenceNumber>(1)),
        cancellationToken);

    /// <summary>The address a node gives as its own, and whether it is a primary.</summary>
    public static Task<(string Server, bool IsPrimary)> ServerOfAsync(string connectionString, CancellationToken cancellationToken) =>
        AskAsync(
        connectionString, $"SELECT {ServerSql}, NOT pg_is_in_recovery()", reader => (reader.GetString(0), reader.GetBoolean(1)),
            cancellationToken);

    public static async Task RunAsync(string connectionString, string sql, CancellationToken cancellationToken) =>
        await AskAsync(connectionString, sql, static _ => 0, cancellationToken).ConfigureAwait(false);

    // Each question on a connection of its own, so that nothing of ours stays open on a server that is stopped.
    public static async Task<T> AskAsync<T>(string connectionString, string sql, Func<NpgsqlDataReader, T> row,
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
