using System.Globalization;
using System.Net.Sockets;
using Npgsql;
using NpgsqlTypes;

namespace Tidemark;

/// <summary>
/// Asks one node what it is, in one statement on a connection of its own that it keeps. Owns that connection; never used by two callers
/// at once. The server names its epoch itself; no crash lies between two answers on one connection that reaches the server without a pooler.
/// </summary>
/// <param name="source">The node's database.</param>
/// <param name="maintenance">The database <c>postgres</c> there: role and positions are the server's, also before the database is created.</param>
/// <param name="replication">How a replication connection reaches the server: it tells where timelines were left, to roles with REPLICATION.</param>
internal sealed class NodeProbe(NpgsqlDataSource source, NpgsqlDataSource maintenance, string replication) : IAsyncDisposable
{
    // One statement, so that role and positions belong to one moment. A promotion in the midst of it fails with 55000; the next probe tells.
    // to_regprocedure finds Aurora by a function that only Aurora has. pg_stat_wal_receiver shows no timeline without pg_read_all_stats.
    // The minimum recovery point does to any role: a standby has replayed WAL of its timeline.
    private const string Question = $"""
        SELECT r.standby,
               (SELECT system_identifier FROM pg_control_system()),
               CASE WHEN r.standby THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END,
               CASE WHEN r.standby THEN (SELECT received_tli FROM pg_stat_wal_receiver)
                    ELSE ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int END,
               CASE WHEN r.standby THEN NULL ELSE pg_current_wal_insert_lsn() END,
               pg_has_role('pg_read_all_stats', 'usage'),
               (SELECT min_recovery_end_timeline FROM pg_control_recovery()),
               {ServerEpoch.Columns}, false
          FROM (SELECT pg_is_in_recovery() AS standby) r
        """;

    // For a role that may not call the functions of positions: pg_walfile_name tells the primary's timeline of any position. It is immutable to the
    // planner and fails on a standby, so its argument is kept from being a constant. Says last whether the role may
    // call them by now.
    private const string QuestionWithoutPositions = $"""
        SELECT r.standby,
               (SELECT system_identifier FROM pg_control_system()),
               NULL::pg_lsn,
               CASE WHEN r.standby THEN (SELECT received_tli FROM pg_stat_wal_receiver)
                    ELSE ('x' || left(pg_walfile_name(r.anywhere), 8))::bit(32)::int END,
               NULL::pg_lsn,
               pg_has_role('pg_read_all_stats', 'usage'),
               (SELECT min_recovery_end_timeline FROM pg_control_recovery()),
               {ServerEpoch.Columns},
               has_function_privilege('pg_last_wal_replay_lsn()', 'execute') AND has_function_privilege('pg_current_wal_flush_lsn()', 'execute')
                   AND has_function_privilege('pg_current_wal_insert_lsn()', 'execute')
          FROM (SELECT pg_is_in_recovery() AS standby, '0/1000000'::pg_lsn AS anywhere OFFSET 0) r
        """;

    /// <summary>A primary's timeline, flush and insert position; fails with 55000 on a standby.</summary>
    public const string PlaceQuestion =
        "SELECT ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int, pg_current_wal_flush_lsn(), pg_current_wal_insert_lsn()";

    private const string AuroraQuestion = "SELECT to_regprocedure('aurora_version()') IS NOT NULL";

    private const string LayoutQuestion =
        "SELECT current_setting('wal_block_size')::bigint, pg_size_bytes(current_setting('wal_segment_size')), pg_backend_pid()";

    private NpgsqlConnection? _connection;
#pragma warning disable CA2213 // Disposed of together with its connection, in CloseAsync.
    private NpgsqlCommand? _command;
#pragma warning restore CA2213
    private WalPages _pages = WalPages.Usual;
    private bool _isPooled;
    private uint _historyRead = 1;
    private long _connections;
    private bool _hidesPositions;

    public async Task<ProbeAnswer> AskAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (_connection is null)
            {
                _connection = await OpenAsync(cancellationToken).ConfigureAwait(false);
                _connections++;
                if (await IsAuroraAsync(_connection, cancellationToken).ConfigureAwait(false))
                {
                    await CloseAsync().ConfigureAwait(false);
                    return new ProbeAnswer { IsAurora = true };
                }

                await ReadLayoutAsync(_connection, cancellationToken).ConfigureAwait(false);
                _command = new NpgsqlCommand(_hidesPositions ? QuestionWithoutPositions : Question, _connection);

                // Behind a pooler the next statement may run in another backend, which knows no statement that this one prepared.
                if (!_isPooled) await _command.PrepareAsync(cancellationToken).ConfigureAwait(false);
            }

            ProbeAnswer answer;
            var reader = await _command!.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                answer = Read(reader);
                answer = answer with { Forks = await ReadForksAsync(answer, cancellationToken).ConfigureAwait(false) };
                if (!reader.GetBoolean(9)) return answer;
            }

            // The role has been granted the functions: the next probe asks for all.
            _hidesPositions = false;
            await CloseAsync().ConfigureAwait(false);
            return answer;
        }
#pragma warning disable CA1031 // Whatever goes wrong with a probe is an answer about the node; it must never end the monitor.
        catch (Exception e)
#pragma warning restore CA1031
        {
            await CloseAsync().ConfigureAwait(false);
            _hidesPositions = !_hidesPositions && e is PostgresException { SqlState: PostgresErrorCodes.InsufficientPrivilege };
            if (_hidesPositions) return await AskAsync(cancellationToken).ConfigureAwait(false);
            return ProbeAnswer.Failed(Describe(e)) with { IsRefusal = IsRefusal(e) };
        }
    }

    public async ValueTask DisposeAsync()
    {
        await CloseAsync().ConfigureAwait(false);
        await source.DisposeAsync().ConfigureAwait(false);
        await maintenance.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>The cause in one line. Driver messages carry no password; inner exceptions say the most.</summary>
    internal static string Describe(Exception e) => e switch
    {
        OperationCanceledException => "no answer in time",
        PostgresException p => string.Create(CultureInfo.InvariantCulture, $"{p.SqlState}: {p.MessageText}"),
        { InnerException: SocketException s } => s.Message,
        { InnerException: IOException { InnerException: SocketException s } } => s.Message,
        { InnerException: EndOfStreamException } => "it closed the connection: it starts, stops, or is no PostgreSQL server",
        { InnerException: TimeoutException } => "no answer in time",

        // To the first byte of a web server, say, the driver asks for a bug report.
        NpgsqlException { Message: var text } when text.StartsWith("Received unknown response", StringComparison.Ordinal) || text.StartsWith("Received backend message", StringComparison.Ordinal) =>
            "what answers there is no PostgreSQL server",
        _ => e.Message,
    };

    private static bool IsRefusal(Exception e) => e is PostgresException { SqlState: PostgresErrorCodes.TooManyConnections };

    private ProbeAnswer Read(NpgsqlDataReader reader) => new()
    {
        Epoch = ServerEpoch.Read(reader, 7),
        Connection = _connections,
        IsInRecovery = reader.GetBoolean(0),
        SystemIdentifier = (ulong)reader.GetInt64(1),
        Position = reader.IsDBNull(2) ? default : reader.GetFieldValue<NpgsqlLogSequenceNumber>(2),
        Timeline = reader.IsDBNull(3) ? 0 : (uint)reader.GetInt32(3),
        InsertPosition = reader.IsDBNull(4) ? default : _pages.BeforeHeader(reader.GetFieldValue<NpgsqlLogSequenceNumber>(4)),
        Pages = _pages,
        SeesTimeline = reader.GetBoolean(5),
        LeastTimeline = reader.IsDBNull(6) ? 0 : (uint)reader.GetInt32(6),
        HidesPositions = _hidesPositions,
        IsPooled = _isPooled,
        ServerVersion = _connection!.PostgreSqlVersion.Major,
    };

    private async Task<NpgsqlConnection> OpenAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InvalidCatalogName)
        {
            return await maintenance.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Where the primary's timeline left its ancestors: asked once for each timeline, since it never changes.</summary>
    private async Task<IReadOnlyList<Fork>?> ReadForksAsync(ProbeAnswer answer, CancellationToken cancellationToken)
    {
        if (answer.IsInRecovery || answer.Timeline == _historyRead) return null;
        _historyRead = answer.Timeline;
        return await TimelineHistory.ReadAsync(replication, answer.Timeline, cancellationToken).ConfigureAwait(false);
    }

    private async Task ReadLayoutAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand(LayoutQuestion, connection);
        await using (command.ConfigureAwait(false))
        {
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                _pages = new WalPages((ulong)reader.GetInt64(0), (ulong)reader.GetInt64(1));
                _isPooled = reader.GetInt32(2) != connection.ProcessID;
            }
        }
    }

    private static async Task<bool> IsAuroraAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand(AuroraQuestion, connection);
        await using (command.ConfigureAwait(false))
            return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is true;
    }

    private async ValueTask CloseAsync()
    {
        var (connection, command) = (_connection, _command);
        (_connection, _command) = (null, null);
        if (command is not null) await command.DisposeAsync().ConfigureAwait(false);
        if (connection is not null) await connection.DisposeAsync().ConfigureAwait(false);
    }
}
