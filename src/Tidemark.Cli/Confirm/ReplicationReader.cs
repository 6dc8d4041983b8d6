using Npgsql;
using Tidemark.Cli.Targets;

namespace Tidemark.Cli.Confirm;

/// <summary>
/// Reads the replication views of PostgreSQL. A view or column that the role cannot read is reported, and is not a failure.
/// </summary>
internal sealed class ReplicationReader(TimeSpan patience)
{
    private const string SendersQuestion = """
        SELECT application_name, concat(host(client_addr), ':' || client_port), state, sync_state,
               pg_wal_lsn_diff(pg_current_wal_flush_lsn(), replay_lsn)::bigint, extract(epoch FROM replay_lag)::float8 * 1000
          FROM pg_stat_replication ORDER BY application_name, pid
        """;

    private const string SlotsQuestion =
        "SELECT slot_name, slot_type, active, wal_status, pg_wal_lsn_diff(pg_current_wal_flush_lsn(), restart_lsn)::bigint FROM "
            + "pg_replication_slots ORDER BY slot_name";

    private const string ReceiverQuestion = "SELECT status, sender_host || ':' || sender_port, slot_name, received_tli FROM "
        + "pg_stat_wal_receiver";

    private readonly List<string> _unseen = [];

    /// <summary>Views that could not be read, and why.</summary>
    public IReadOnlyList<string> Unseen => _unseen;

    public async Task<IReadOnlyList<SenderRecord>> SendersAsync(TargetNode primary, CancellationToken cancellationToken)
    {
        var senders = await ReadAsync(
            primary, SendersQuestion,
                row => new SenderRecord(row.GetString(0), Text(row, 1), Text(row, 2), Text(row, 3), row.IsDBNull(4)
                ? null : row.GetInt64(4), row.IsDBNull(5) ? null : Math.Round(row.GetDouble(5), 2)),
            cancellationToken);
        if (senders.Any(sender => sender.State is null)) Hidden(primary, "the state of its standbys");
        return senders;
    }

    public Task<IReadOnlyList<SlotRecord>> SlotsAsync(TargetNode primary, CancellationToken cancellationToken) => ReadAsync(
        primary, SlotsQuestion,
            row => new SlotRecord(row.GetString(0), row.GetString(1), row.GetBoolean(2), Text(row, 3), row.IsDBNull(4)
            ? null : row.GetInt64(4)), cancellationToken);

    public async Task<ReceiverRecord> ReceiverAsync(TargetNode replica, CancellationToken cancellationToken)
    {
        var received = await ReadAsync(
            replica, ReceiverQuestion,
                row => new ReceiverRecord(replica.Name, Text(row, 0), Text(row, 1), Text(row, 2), row.IsDBNull(3) ? null : row.GetInt32(3)),
                cancellationToken);
        if (received is [{ Status: null }]) Hidden(replica, "its receiver");
        return received is [var one, ..] ? one : new ReceiverRecord(replica.Name, null, null, null, null);
    }

    private void Hidden(TargetNode node, string what)
    {
        lock (_unseen) _unseen.Add($"{node.Name}: {node.Settings.Username ?? "the role"} cannot read {what}. GRANT "
            + "pg_read_all_stats to it.");
    }

    private async Task<IReadOnlyList<T>> ReadAsync<T>(TargetNode node, string question, Func<NpgsqlDataReader, T> record,
        CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = new NpgsqlConnection(node.Within(patience));
            await connection.OpenAsync(cancellationToken);
            using var command = new NpgsqlCommand(question, connection);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            var records = new List<T>();
            while (await reader.ReadAsync(cancellationToken)) records.Add(record(reader));
            return records;
        }
        catch (Exception e) when (e is NpgsqlException or TimeoutException)
        {
            lock (_unseen) _unseen.Add($"{node.Name}: {NodeProbe.Describe(e)}");
            return [];
        }
    }

    private static string? Text(NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);
}
