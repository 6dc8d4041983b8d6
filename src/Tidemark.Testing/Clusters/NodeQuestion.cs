using Npgsql;
using NpgsqlTypes;

namespace Tidemark.Testing;

/// <summary>Queries the status of one node of a kept cluster, in one statement.</summary>
internal static class NodeQuestion
{
    // Limit for opening the connection, and again for the query.
    private const int LimitSeconds = 3;

    /// <summary>A SQL expression for the timeline that a primary writes.</summary>
    public const string WrittenTimeline = "('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int";

    private const string Sql = $"""
        SELECT pg_is_in_recovery(),
            CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END,
            CASE WHEN pg_is_in_recovery()
                THEN coalesce(
                    (SELECT received_tli FROM pg_stat_wal_receiver), (SELECT min_recovery_end_timeline FROM pg_control_recovery()))
                ELSE {WrittenTimeline} END,
            (SELECT sender_port FROM pg_stat_wal_receiver WHERE status = 'streaming'),
            CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() ELSE false END,
            (SELECT setting::int FROM pg_settings WHERE name = 'recovery_min_apply_delay')
        """;

    public static async Task<LocalNodeStatus> QueryAsync(
        KeptState state, KeptNodeState node, NodeFolder folder, CancellationToken cancellationToken)
    {
        var known = new LocalNodeStatus
        {
            Name = node.Name,
            Port = PortBlock.PortOf(state.BasePort, state.Nodes.Index().First(each => each.Item.Name == node.Name).Index),
            Role = node.Name == state.Primary ? LocalNodeRole.Primary
                : node.Follows is null ? LocalNodeRole.OldPrimary
                : LocalNodeRole.Replica,
            ProcessId = folder.ProcessId() is { } id && folder.IsServer(id) ? id : null,
            Follows = node.Follows,
            IsHalfReplaced = node.IsHalfReplaced,
            Delay = TimeSpan.FromMilliseconds(node.DelayMs),
        };
        if (!known.IsRunning)
            return known;
        try
        {
            var connection = new NpgsqlConnection($"{NodeAddress.ConnectionString("postgres", known.Port)};Pooling=false;"
                + $"Application Name=tidemark-status;Timeout={LimitSeconds};Command Timeout={LimitSeconds}");
            await using (connection.ConfigureAwait(false))
            {
                await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
                using var command = new NpgsqlCommand(Sql, connection);
                var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
                await using (reader.ConfigureAwait(false))
                {
                    await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                    return Read(reader, known, state);
                }
            }
        }
        catch (PostgresException refusal)
        {
            return known with { Refusal = refusal.MessageText };
        }
        catch (NpgsqlException)
        {
            return known;
        }
    }

    private static LocalNodeStatus Read(NpgsqlDataReader answer, LocalNodeStatus known, KeptState state)
    {
        var isReplica = answer.GetBoolean(0);
        int? sender = answer.IsDBNull(3) ? null : answer.GetInt32(3);
        var streamsFrom = state.Nodes.Where((_, index) => PortBlock.PortOf(state.BasePort, index) == sender).FirstOrDefault()?.Name;
        return known with
        {
            Answers = true,
            Role = isReplica ? LocalNodeRole.Replica : known.Name == state.Primary ? LocalNodeRole.Primary : LocalNodeRole.OldPrimary,
            Lsn = answer.IsDBNull(1) ? null : answer.GetFieldValue<NpgsqlLogSequenceNumber>(1),
            Timeline = answer.IsDBNull(2) ? null : answer.GetInt32(2),
            Follows = isReplica ? streamsFrom ?? known.Follows : null,
            IsStreaming = isReplica && sender is not null,
            IsPaused = answer.GetBoolean(4),
            Delay = TimeSpan.FromMilliseconds(answer.GetInt32(5)),
        };
    }
}
