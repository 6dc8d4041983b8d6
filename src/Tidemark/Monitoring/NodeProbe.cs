using System.Globalization;
using System.Net.Sockets;
using Npgsql;
using NpgsqlTypes;

namespace Tidemark;

/// <summary>
/// Asks one node what it is, in one statement on a connection of its own that it keeps. Owns that connection; never used by two callers
/// at once. The server names its epoch itself; no crash lies between two answers on one connection that reaches the server without a
/// pooler.
/// </summary>
/// <param name="source">The node's database.</param>
/// <param name="maintenance">
/// The database <c>postgres</c> there: role and positions are the server's, also before the database is created.
/// </param>
/// <param name="replication">
/// How a replication connection reaches the server: it tells where timelines were left, to roles with REPLICATION.
/// </param>
/// <param name="time">The clock.</param>
/// <param name="historyPatience">How long a probe waits for the history of a new timeline.</param>
internal sealed class NodeProbe(NpgsqlDataSource source, NpgsqlDataSource maintenance, string replication, TimeProvider time,
    TimeSpan historyPatience) : IDisposable
{
    // The first may be lost, and so may be one that was opened since: an administrator ends all of them, again and again.
    private const int MaxConnections = 4;

    // One statement, so that role and positions belong to one moment. A promotion in the midst of it fails with 55000; the next probe
    // tells.
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

    // For a role that may not call the functions of positions: pg_walfile_name tells the primary's timeline of any position. It is
    // immutable to the
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
    public const string PositionQuery =
        "SELECT ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int, pg_current_wal_flush_lsn(), "
            + "pg_current_wal_insert_lsn()";

    private const string AuroraQuestion = "SELECT to_regprocedure('aurora_version()') IS NOT NULL";

    // Every role sees the process ids of all. A number that was given to a new process counts as there: that errs on the safe side.
    // The status of a transaction that ended long ago is NULL. A prepared transaction is in progress until COMMIT PREPARED.
    private const string EndedQuestion = """
        SELECT array(SELECT unnest($1) EXCEPT SELECT pid FROM pg_stat_activity),
               array(SELECT x FROM unnest($2) AS x WHERE pg_xact_status(x::xid8) IS DISTINCT FROM 'in progress')
        """;

    private const string LayoutQuestion =
        "SELECT current_setting('wal_block_size')::bigint, pg_size_bytes(current_setting('wal_segment_size')), pg_backend_pid()";

    private NpgsqlConnection? _connection;
#pragma warning disable CA2213 // Disposed of together with its connection, in Close.
    private NpgsqlCommand? _command;
#pragma warning restore CA2213
    private WalPages _pages = WalPages.Usual;
    private bool _isPooled;
    private uint _historyRead = 1;
    private uint _historyOf;
    private Task<IReadOnlyList<Fork>?>? _history;
    private long _connections;
    private bool _hidesPositions;

    /// <summary>
    /// Asks the node, and blocks until it answers. A connection that was lost is no fact about the node, since an administrator, a time-out
    /// or a pooler may have
    /// ended it: another is opened and asked at once. A connection that cannot be opened is one.
    /// </summary>
    /// <param name="asked">What may still be committed: the result names the part of it that has ended.</param>
    /// <param name="deadline">Is told what the time is spent on.</param>
    public ProbeResult Ask(Unsettled asked, ProbeDeadline deadline)
    {
        for (var attempt = 1; ; attempt++)
        {
            var isOpen = _connection is not null;
            try
            {
                if (!isOpen)
                {
                    deadline.Connecting();
                    _connection = Open();
                    isOpen = true;
                    _connections++;
                    if (IsAurora(_connection))
                    {
                        Close();
                        return new ProbeResult(new ProbeAnswer { IsAurora = true }, time.GetTimestamp(), Unsettled.None);
                    }

                    Prepare(_connection);
                    deadline.Connected();
                }

                deadline.Asking();
                var answer = AskOnce(out var seesPositionsAgain);
                var arrivedAt = time.GetTimestamp();
                answer = answer with { Forks = ReadForks(answer) };
                var result = new ProbeResult(answer, arrivedAt, asked.IsEmpty ? Unsettled.None : FindEnded(_connection!, asked));
                if (!seesPositionsAgain) return result;

                // The role has been granted the functions: the next probe asks for all.
                _hidesPositions = false;
                Close();
                return result;
            }
#pragma warning disable CA1031 // Whatever goes wrong with a probe is an answer about the node; it must never end the monitor.
            catch (Exception e)
#pragma warning restore CA1031
            {
                Close();
                if (isOpen && attempt < MaxConnections && IsLost(e)) continue;
                _hidesPositions = !_hidesPositions && e is PostgresException { SqlState: PostgresErrorCodes.InsufficientPrivilege };
                if (_hidesPositions && attempt < MaxConnections) continue;
                return new ProbeResult(ProbeAnswer.Failed(Describe(e)) with { IsRefusal = IsRefusal(e) }, time.GetTimestamp(),
                    Unsettled.None);
            }
        }
    }

    public void Dispose()
    {
        Close();
        source.Dispose();
        maintenance.Dispose();
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
        NpgsqlException { Message: var text } when text.StartsWith("Received unknown response", StringComparison.Ordinal)
            || text.StartsWith("Received backend message", StringComparison.Ordinal) =>
            "what answers there is no PostgreSQL server",
        _ => e.Message,
    };

    // FATAL and PANIC end the connection: 57P01 by an administrator, 57P04 with its database, 57P05 after idle_session_timeout.
    private static bool IsLost(Exception e) => e switch
    {
        PostgresException p => p.InvariantSeverity is "FATAL" or "PANIC",
        NpgsqlException { InnerException: TimeoutException } => false,
        NpgsqlException { InnerException: IOException or SocketException } => true,
        InvalidOperationException => true,
        _ => false,
    };

    private static bool IsRefusal(Exception e) => e is PostgresException { SqlState: PostgresErrorCodes.TooManyConnections };

    private ProbeAnswer Read(NpgsqlDataReader reader) => new()
    {
        Epoch = ServerEpoch.Read(reader, 7),
        Connection = _connections,
        IsInRecovery = reader.GetBoolean(0),
        SystemIdentifier = (ulong)reader.GetInt64(1),
        Lsn = reader.IsDBNull(2) ? default : reader.GetFieldValue<NpgsqlLogSequenceNumber>(2),
        Timeline = reader.IsDBNull(3) ? 0 : (uint)reader.GetInt32(3),
        InsertLsn = reader.IsDBNull(4) ? default : _pages.BeforeHeader(reader.GetFieldValue<NpgsqlLogSequenceNumber>(4)),
        Pages = _pages,
        SeesTimeline = reader.GetBoolean(5),
        LeastTimeline = reader.IsDBNull(6) ? 0 : (uint)reader.GetInt32(6),
        HidesPositions = _hidesPositions,
        IsPooled = _isPooled,
        ServerVersion = _connection!.PostgreSqlVersion.Major,
    };

    private NpgsqlConnection Open()
    {
        try
        {
            return source.OpenConnection();
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InvalidCatalogName)
        {
            return maintenance.OpenConnection();
        }
    }

    private void Prepare(NpgsqlConnection connection)
    {
        ReadLayout(connection);
        _command = new NpgsqlCommand(_hidesPositions ? QuestionWithoutPositions : Question, connection);

        // Behind a pooler the next statement may run in another backend, which knows no statement that this one prepared.
        if (!_isPooled) _command.Prepare();
    }

    private ProbeAnswer AskOnce(out bool seesPositionsAgain)
    {
        using var reader = _command!.ExecuteReader();
        reader.Read();
        seesPositionsAgain = reader.GetBoolean(9);
        return Read(reader);
    }

    /// <summary>
    /// Where the primary's timeline left its ancestors: asked once for each timeline, since it never changes. The driver reads it
    /// asynchronously only; if the pool
    /// has no thread for that or the server is slow, a later probe delivers it.
    /// </summary>
    private IReadOnlyList<Fork>? ReadForks(ProbeAnswer answer)
    {
        if (answer.IsInRecovery || answer.Timeline == _historyRead) return null;
        var patience = TimeSpan.Zero;
        if (_history is null || _historyOf != answer.Timeline)
        {
            _historyOf = answer.Timeline;
            _history = TimelineHistoryReader.ReadAsync(replication, answer.Timeline);
            patience = historyPatience;
        }

#pragma warning disable RS0030 // Bounded, on a thread of its own, and no part of the probe depends on it.
        if (!_history.Wait(patience)) return null;
        _historyRead = answer.Timeline;
        return _history.Result;
#pragma warning restore RS0030
    }

    private void ReadLayout(NpgsqlConnection connection)
    {
        using var command = new NpgsqlCommand(LayoutQuestion, connection);
        using var reader = command.ExecuteReader();
        reader.Read();
        _pages = new WalPages((ulong)reader.GetInt64(0), (ulong)reader.GetInt64(1));
        _isPooled = reader.GetInt32(2) != connection.ProcessID;
    }

    private static bool IsAurora(NpgsqlConnection connection)
    {
        using var command = new NpgsqlCommand(AuroraQuestion, connection);
        return command.ExecuteScalar() is true;
    }

    private static Unsettled FindEnded(NpgsqlConnection connection, Unsettled asked)
    {
        using var command = new NpgsqlCommand(EndedQuestion, connection);
        command.Parameters.Add(new NpgsqlParameter<int[]> { TypedValue = asked.Backends });
        command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = asked.Transactions });
        try
        {
            using var reader = command.ExecuteReader();
            reader.Read();
            return new Unsettled(reader.GetFieldValue<int[]>(0), reader.GetFieldValue<string[]>(1));
        }
        catch (PostgresException e) when (!IsLost(e))
        {
            // After a crash or a promotion a transaction id may lie in the future. That says nothing about the node.
            return Unsettled.None;
        }
    }

    private void Close()
    {
        var (connection, command) = (_connection, _command);
        (_connection, _command) = (null, null);
        try
        {
            command?.Dispose();
            connection?.Dispose();
        }
#pragma warning disable CA1031 // It is given up, in whatever state it is.
        catch (Exception)
#pragma warning restore CA1031
        {
        }
    }
}
