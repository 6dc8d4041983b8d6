using System.Globalization;
using System.Net.Sockets;
using Npgsql;
using NpgsqlTypes;

namespace Tidemark;

/// <summary>
/// Probes one node with a single statement on its own connection, which it keeps open and owns. Must not be used by two callers at once.
/// The server reports its epoch. Without a pooler in between, the server did not crash between two responses on one connection.
/// </summary>
/// <param name="source">The data source of the node's database.</param>
/// <param name="maintenance">
/// The data source of the database <c>postgres</c> on the same server. Role and positions belong to the server, so it can be used before
/// the database is created.
/// </param>
/// <param name="replication">
/// The connection string for replication connections to the server. They report where timelines were left, if the role has REPLICATION.
/// </param>
/// <param name="time">The clock.</param>
/// <param name="historyPatience">Maximum time that a probe waits for the history of a new timeline.</param>
internal sealed class NodeProbe(NpgsqlDataSource source, NpgsqlDataSource maintenance, string replication, TimeProvider time,
    TimeSpan historyPatience) : IDisposable
{
    // The first connection may be lost, and so may one that was opened since: an administrator can terminate all of them repeatedly.
    private const int MaxConnections = 4;

    // One statement, so that role and positions are from the same moment. If the server is promoted during it, it fails with 55000, and the
    // next probe reports the new role. to_regprocedure detects Aurora by a function that only Aurora has. pg_stat_wal_receiver shows no
    // timeline without pg_read_all_stats. Any role can read the minimum recovery point: the standby has replayed WAL of its timeline.
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

    // For a role that may not call the position functions. pg_walfile_name returns the primary's timeline for any position. The planner
    // treats it as immutable, and it fails on a standby, so its argument must not be a constant. The last column reports whether the role
    // may call the functions by now.
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
               has_function_privilege('pg_last_wal_replay_lsn()', 'execute')
                   AND has_function_privilege('pg_current_wal_flush_lsn()', 'execute')
                   AND has_function_privilege('pg_current_wal_insert_lsn()', 'execute')
          FROM (SELECT pg_is_in_recovery() AS standby, '0/1000000'::pg_lsn AS anywhere OFFSET 0) r
        """;

    /// <summary>Returns the timeline, flush position and insert position of a primary. Fails with 55000 on a standby.</summary>
    public const string PositionQuery =
        "SELECT ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int, pg_current_wal_flush_lsn(), "
            + "pg_current_wal_insert_lsn()";

    private const string AuroraQuestion = "SELECT to_regprocedure('aurora_version()') IS NOT NULL";

    // Every role can see the process ids of all backends. An id that was reused by a new process counts as still running, which is the safe
    // side. The status of a transaction that ended long ago is NULL. A prepared transaction is in progress until COMMIT PREPARED.
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
    /// Probes the node, and blocks until it responds. If an open connection is lost, another one is opened and used at once: an
    /// administrator, a timeout or a pooler may have ended it, so the loss says nothing about the node. A connection that cannot be opened
    /// is a failure of the node.
    /// </summary>
    /// <param name="asked">Backends and transactions that may still commit. The result contains those that have ended.</param>
    /// <param name="deadline">Records the progress of the probe, so that each phase has its own deadline.</param>
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
                var answer = ProbeOnce(out var seesPositionsAgain);
                var arrivedAt = time.GetTimestamp();
                answer = answer with { Forks = ReadForks(answer) };
                var result = new ProbeResult(answer, arrivedAt, asked.IsEmpty ? Unsettled.None : FindEnded(_connection!, asked));
                if (!seesPositionsAgain) return result;

                // The role has been granted EXECUTE on the functions. The next probe queries the positions again.
                _hidesPositions = false;
                Close();
                return result;
            }
#pragma warning disable CA1031 // Any failure of a probe is a result about the node. It must never end the monitor.
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

    /// <summary>Returns the cause in one line. Driver messages contain no password, and inner exceptions are the most specific.</summary>
    internal static string Describe(Exception e) => e switch
    {
        OperationCanceledException => "no response in time",
        PostgresException p => string.Create(CultureInfo.InvariantCulture, $"{p.SqlState}: {p.MessageText}"),
        { InnerException: SocketException s } => s.Message,
        { InnerException: IOException { InnerException: SocketException s } } => s.Message,
        { InnerException: EndOfStreamException } => "it closed the connection: it is starting, is stopping, or is not a PostgreSQL server",
        { InnerException: TimeoutException } => "no response in time",

        // If the other end is a web server, for example, the driver asks the user to file a bug report after the first byte.
        NpgsqlException { Message: var text } when text.StartsWith("Received unknown response", StringComparison.Ordinal)
            || text.StartsWith("Received backend message", StringComparison.Ordinal) =>
            "the server at this address is not a PostgreSQL server",
        _ => e.Message,
    };

    // FATAL and PANIC end the connection: 57P01 by an administrator, 57P04 if its database is dropped, 57P05 after idle_session_timeout.
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

        // With a pooler, the next statement may run on another backend, which does not have the statement that was prepared here.
        if (!_isPooled) _command.Prepare();
    }

    private ProbeAnswer ProbeOnce(out bool seesPositionsAgain)
    {
        using var reader = _command!.ExecuteReader();
        reader.Read();
        seesPositionsAgain = reader.GetBoolean(9);
        return Read(reader);
    }

    /// <summary>
    /// Reads where the primary's timeline left its ancestors. This is read once per timeline, because it never changes. The driver can read
    /// it only asynchronously. If the thread pool has no free thread or the server is slow, a later probe returns it.
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

#pragma warning disable RS0030 // The wait is bounded, runs on the probe's own thread, and the rest of the probe does not depend on it.
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
            // After a crash or a promotion, a transaction id may be in the future. This says nothing about the node.
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
#pragma warning disable CA1031 // The connection is discarded in any case.
        catch (Exception)
#pragma warning restore CA1031
        {
        }
    }
}
