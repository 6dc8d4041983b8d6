using NpgsqlTypes;

namespace Tidemark.Testing;

/// <summary>What the server of one node says of replication, and the slots that it keeps for those who follow it.</summary>
internal sealed class NodeReplication(NodeServer server)
{
    /// <summary>
    /// How far this node has replayed; of one that was promoted, where its own timeline began. Null for one that was never a replica.
    /// </summary>
    public Task<NpgsqlLogSequenceNumber?> ReplayPositionAsync(CancellationToken cancellationToken) =>
        server.AskAsync<NpgsqlLogSequenceNumber?>("SELECT pg_last_wal_replay_lsn()", cancellationToken);

    /// <summary>How far this replica has received or replayed, whichever is further.</summary>
    public Task<NpgsqlLogSequenceNumber?> ReceivedPositionAsync(CancellationToken cancellationToken) =>
        server.AskAsync<NpgsqlLogSequenceNumber?>("SELECT greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())",
            cancellationToken);

    /// <summary>How far this primary has flushed, which is what replicas receive.</summary>
    public Task<NpgsqlLogSequenceNumber> FlushPositionAsync(CancellationToken cancellationToken) =>
        server.AskAsync<NpgsqlLogSequenceNumber>("SELECT pg_current_wal_flush_lsn()", cancellationToken);

    /// <summary>Whether it is a replica that does not replay.</summary>
    public Task<bool> IsPausedAsync(CancellationToken cancellationToken) =>
        server.AskAsync<bool>("SELECT pg_is_in_recovery() AND pg_is_wal_replay_paused()", cancellationToken);

    /// <summary>Sees to it that there is a slot for a follower, which keeps what that has not received.</summary>
    public Task ReserveSlotAsync(string follower, CancellationToken cancellationToken) => server.AskAsync<object>(
        $"SELECT pg_create_physical_replication_slot(slot, true) FROM (VALUES ('{ServerSettings.SlotOf(follower)}')) AS wanted (slot) "
        + "WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = slot)", cancellationToken);

    /// <summary>Removes the slot of a follower, once nothing uses it.</summary>
    public async Task DropSlotAsync(string follower, CancellationToken cancellationToken)
    {
        // What served the follower's last life may not have noticed its end yet.
        var slot = $"FROM pg_replication_slots WHERE slot_name = '{ServerSettings.SlotOf(follower)}'";
        await server.WaitAsync($"let go of the slot of {follower}", async () =>
            !await server.AskAsync<bool>($"SELECT EXISTS (SELECT {slot} AND active)", cancellationToken).ConfigureAwait(false),
                cancellationToken).ConfigureAwait(false);
        await server.AskAsync<object>($"SELECT pg_drop_replication_slot(slot_name) {slot}", cancellationToken).ConfigureAwait(false);
    }
}
