using NpgsqlTypes;

namespace Tidemark.Testing;

/// <summary>The replication LSNs of one node's server, and the slots that it keeps for its followers.</summary>
internal sealed class NodeReplication(NodeServer server)
{
    /// <summary>
    /// Returns the LSN up to which this node has replayed. On a promoted node this is the start of its own timeline. Returns <c>null</c> if
    /// the node was never a replica.
    /// </summary>
    public Task<NpgsqlLogSequenceNumber?> ReplayPositionAsync(CancellationToken cancellationToken) =>
        server.QueryAsync<NpgsqlLogSequenceNumber?>("SELECT pg_last_wal_replay_lsn()", cancellationToken);

    /// <summary>Returns the LSN up to which this replica has received or replayed, whichever is greater.</summary>
    public Task<NpgsqlLogSequenceNumber?> ReceivedPositionAsync(CancellationToken cancellationToken) =>
        server.QueryAsync<NpgsqlLogSequenceNumber?>(
            "SELECT greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())", cancellationToken);

    /// <summary>Returns the LSN up to which this primary has flushed. Replicas receive WAL up to this LSN.</summary>
    public Task<NpgsqlLogSequenceNumber> FlushPositionAsync(CancellationToken cancellationToken) =>
        server.QueryAsync<NpgsqlLogSequenceNumber>("SELECT pg_current_wal_flush_lsn()", cancellationToken);

    /// <summary>Returns whether this node is a replica whose replay is paused.</summary>
    public Task<bool> IsPausedAsync(CancellationToken cancellationToken) =>
        server.QueryAsync<bool>("SELECT pg_is_in_recovery() AND pg_is_wal_replay_paused()", cancellationToken);

    /// <summary>Creates the slot of a follower if it does not exist. The slot retains the WAL that the follower has not received.</summary>
    public Task ReserveSlotAsync(string follower, CancellationToken cancellationToken) => server.QueryAsync<object>(
        $"SELECT pg_create_physical_replication_slot(slot, true) FROM (VALUES ('{ServerSettings.SlotOf(follower)}')) AS wanted (slot) "
        + "WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = slot)", cancellationToken);

    /// <summary>Waits until the slot of a follower is inactive, and drops it.</summary>
    public async Task DropSlotAsync(string follower, CancellationToken cancellationToken)
    {
        // The WAL sender that served the follower may not have detected yet that the follower has ended.
        var slot = $"FROM pg_replication_slots WHERE slot_name = '{ServerSettings.SlotOf(follower)}'";
        await server.WaitAsync($"release the slot of {follower}", async () =>
            !await server.QueryAsync<bool>($"SELECT EXISTS (SELECT {slot} AND active)", cancellationToken).ConfigureAwait(false),
            cancellationToken).ConfigureAwait(false);
        await server.QueryAsync<object>($"SELECT pg_drop_replication_slot(slot_name) {slot}", cancellationToken).ConfigureAwait(false);
    }
}
