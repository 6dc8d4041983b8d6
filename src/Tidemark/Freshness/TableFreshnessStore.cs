using System.Transactions;
using Npgsql;
using NpgsqlTypes;

namespace Tidemark;

/// <summary>
/// Keeps keys in a table of the database itself, for all processes that use it. Recording or finding a key takes one statement and one
/// round trip. Both use the primary's pool and run outside any session or transaction.
/// </summary>
/// <remarks>
/// <see cref="Ddl"/> creates the table. The store never deletes rows. Rows whose <c>noted_at</c> is older than the lag of any replica have
/// no effect any more and may be deleted.
/// </remarks>
public sealed class TableFreshnessStore : FreshnessStore
{
    private readonly string _advance;
    private readonly string _find;
    private Func<CancellationToken, ValueTask<NpgsqlConnection>>? _openWrite;

    /// <summary>Creates a store that uses a table.</summary>
    /// <param name="table">Table name, optionally with a schema. The default is <c>tidemark_freshness</c>. Case-sensitive.</param>
    /// <exception cref="ArgumentException">The name is empty, has more than two parts, or a part has more than 63 characters.</exception>
    public TableFreshnessStore(string table = "tidemark_freshness")
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(table);
        var parts = table.Split('.');
        if (parts.Length > 2 || parts.Any(p => p.Length is 0 or > 63 || p.Contains('\0')))
            throw new ArgumentException(
                $"'{table}' is not a valid table name. Use a table name, or a schema and a table name separated by a dot, of at most 63 "
                + "characters each.", nameof(table));
        var name = string.Join('.', parts.Select(p => $"\"{p.Replace("\"", "\"\"", StringComparison.Ordinal)}\""));
        Ddl = $"""
            CREATE TABLE IF NOT EXISTS {name} (
                key       text PRIMARY KEY,
                cluster   bigint NOT NULL,
                timeline  bigint NOT NULL,
                began     bigint NOT NULL,
                position  bigint NOT NULL,
                noted_at  timestamptz NOT NULL DEFAULT now())
            """;

        // Concurrent writers of a key take turns at its row, and each compares its position with the one that the other wrote. Positions of
        // another cluster are meaningless here and are replaced: the table was restored from a dump.
        _advance = $"""
            INSERT INTO {name} AS f (key, cluster, timeline, began, position) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (key) DO UPDATE SET cluster = excluded.cluster, timeline = excluded.timeline, began = excluded.began,
                position = excluded.position, noted_at = now()
            WHERE f.cluster <> excluded.cluster OR (f.timeline, f.position) < (excluded.timeline, excluded.position)
            """;
        _find = $"SELECT cluster, timeline, began, position FROM {name} WHERE key = $1";
    }

    /// <summary>The statement that creates the table, for use in a migration.</summary>
    public string Ddl { get; }

    /// <summary>Creates the table if it does not exist.</summary>
    /// <exception cref="InvalidOperationException">The store is not attached to a data source yet.</exception>
    public async Task CreateTableAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            await RunAsync(Ddl, async (command, stop) => await command.ExecuteNonQueryAsync(stop).ConfigureAwait(false), cancellationToken)
                .ConfigureAwait(false);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.UniqueViolation or PostgresErrorCodes.DuplicateTable)
        {
            // Another process created it at the same moment.
        }
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The table does not exist, or the store is not attached to a data source yet.</exception>
    public override async ValueTask AdvanceAsync(string key, CausalToken token, CancellationToken cancellationToken = default)
    {
        ThrowIfInvalid(key);
        var position = WrittenOf(token);
        await RunAsync(
            _advance,
            async (command, stop) =>
            {
                command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = key });
                foreach (var number in (ulong[])[token.Cluster, position.Timeline, (ulong)(token.BeginOf(written: true) ?? default),
                    (ulong)position.Lsn])
                    command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = unchecked((long)number) });
                return await command.ExecuteNonQueryAsync(stop).ConfigureAwait(false);
            },
            cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The table does not exist, or the store is not attached to a data source yet.</exception>
    public override async ValueTask<CausalToken?> FindAsync(string key, CancellationToken cancellationToken = default)
    {
        ThrowIfInvalid(key);
        return await RunAsync(
            _find,
            async (command, stop) =>
            {
                command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = key });
                var reader = await command.ExecuteReaderAsync(stop).ConfigureAwait(false);
                await using (reader.ConfigureAwait(false))
                    return await reader.ReadAsync(stop).ConfigureAwait(false) ? Read(reader) : null;
            },
            cancellationToken).ConfigureAwait(false);
    }

    internal override void Attach(Func<CancellationToken, ValueTask<NpgsqlConnection>> openWrite)
    {
        if (Interlocked.CompareExchange(ref _openWrite, openWrite, null) is not null)
            throw new InvalidOperationException(
                "This store belongs to another data source. Use a separate store for each data source; they can share the table.");
    }

    private async ValueTask<T> RunAsync<T>(string sql, Func<NpgsqlCommand, CancellationToken, ValueTask<T>> run,
        CancellationToken cancellationToken)
    {
        var openWrite = _openWrite ?? throw new InvalidOperationException(
            "The store is not attached to a data source yet. Set TidemarkDataSourceBuilder.FreshnessStore before the data source is "
            + "built.");

        // Recording and finding a key are never part of the caller's transaction, even inside a TransactionScope.
        using var alone = new TransactionScope(TransactionScopeOption.Suppress, TransactionScopeAsyncFlowOption.Enabled);
        var connection = await openWrite(cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            var command = new NpgsqlCommand(sql, connection);
            await using (command.ConfigureAwait(false))
            {
                try
                {
                    return await run(command, cancellationToken).ConfigureAwait(false);
                }
                catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UndefinedTable)
                {
                    throw new InvalidOperationException(
                        $"The table of the freshness store does not exist. Call {nameof(CreateTableAsync)}, or run:\n{Ddl}", e);
                }
            }
        }
    }

    private static CausalToken Read(NpgsqlDataReader row)
    {
        var timeline = (uint)row.GetInt64(1);
        var began = new NpgsqlLogSequenceNumber((ulong)row.GetInt64(2));
        var lsn = new NpgsqlLogSequenceNumber((ulong)row.GetInt64(3));
        var chain = began == default ? TimelineChain.Empty : TimelineChain.Empty.With([new Fork(timeline - 1, timeline, began, began)]);
        return new CausalToken(
            unchecked((ulong)row.GetInt64(0)), new WalPosition(timeline, lsn), seen: null, unknown: null, DateTimeOffset.MaxValue, chain,
                key: null);
    }
}
