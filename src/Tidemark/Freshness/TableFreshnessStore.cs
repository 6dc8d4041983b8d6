using System.Transactions;
using Npgsql;
using NpgsqlTypes;

namespace Tidemark;

/// <summary>
/// Keys in a table of the database itself, for all processes that use it. Noting is one statement on the primary, and so is finding: one
/// round trip each, on
/// the primary's pool, and no part of any session or transaction.
/// </summary>
/// <remarks>
/// <see cref="Ddl"/> makes the table. Nothing is ever deleted from it; rows whose <c>noted_at</c> is longer ago than any replica lags say
/// nothing any more and may be.
/// </remarks>
public sealed class TableFreshnessStore : FreshnessStore
{
    private readonly string _advance;
    private readonly string _find;
    private Func<CancellationToken, ValueTask<NpgsqlConnection>>? _openWrite;

    /// <summary>A store on a table.</summary>
    /// <param name="table">Its name, with or without a schema before it; <c>tidemark_freshness</c> by default. Case counts.</param>
    /// <exception cref="ArgumentException">It is no name: empty, of more than two parts, or a part has more than 63 characters.</exception>
    public TableFreshnessStore(string table = "tidemark_freshness")
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(table);
        var parts = table.Split('.');
        if (parts.Length > 2 || parts.Any(p => p.Length is 0 or > 63 || p.Contains('\0')))
            throw new ArgumentException($"'{table}' is no name of a table. Give a name, or schema and name with a dot between, of at "
                + "most 63 characters each.", nameof(table));
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

        // Two who note at once take turns at the row, and each compares with what the other left. Positions of another cluster mean nothing
        // here: they
        // came with a dump.
        _advance = $"""
            INSERT INTO {name} AS f (key, cluster, timeline, began, position) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (key) DO UPDATE SET cluster = excluded.cluster, timeline = excluded.timeline, began = excluded.began, position = excluded.position, noted_at = now()
            WHERE f.cluster <> excluded.cluster OR (f.timeline, f.position) < (excluded.timeline, excluded.position)
            """;
        _find = $"SELECT cluster, timeline, began, position FROM {name} WHERE key = $1";
    }

    /// <summary>The statement that makes the table, for a migration.</summary>
    public string Ddl { get; }

    /// <summary>Makes the table where there is none.</summary>
    /// <exception cref="InvalidOperationException">The store was given to no data source yet.</exception>
    public async Task CreateTableAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            await RunAsync(Ddl, async (command, stop) => await command.ExecuteNonQueryAsync(stop).ConfigureAwait(false), cancellationToken)
                .ConfigureAwait(false);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.UniqueViolation or PostgresErrorCodes.DuplicateTable)
        {
            // Another process made it at the same moment.
        }
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">There is no such table, or the store was given to no data source yet.</exception>
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
    /// <exception cref="InvalidOperationException">There is no such table, or the store was given to no data source yet.</exception>
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
            throw new InvalidOperationException("This store belongs to another data source already. Give each its own on the same table.");
    }

    private async ValueTask<T> RunAsync<T>(string sql, Func<NpgsqlCommand, CancellationToken, ValueTask<T>> run,
        CancellationToken cancellationToken)
    {
        var openWrite = _openWrite ?? throw new InvalidOperationException(
            "The store is not in use yet. Set it as TidemarkDataSourceBuilder.FreshnessStore before the data source is built.");

        // Whatever scope surrounds the caller, what is noted or found is no part of its transaction.
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
