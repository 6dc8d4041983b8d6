namespace Tidemark.Cli.Confirm;

/// <summary>What <c>tidemark confirm</c> found.</summary>
/// <param name="Works">Every replica has shown the row, and each streams.</param>
/// <param name="Primary">The node that the row was written on.</param>
/// <param name="Senders">The primary's <c>pg_stat_replication</c>.</param>
/// <param name="Slots">The primary's <c>pg_replication_slots</c>.</param>
/// <param name="Receivers">Each replica's <c>pg_stat_wal_receiver</c>.</param>
/// <param name="Rows">When each replica showed the row.</param>
/// <param name="Unseen">What could not be read, and why.</param>
internal sealed record ConfirmRecord(
    bool Works, string Primary, IReadOnlyList<SenderRecord> Senders, IReadOnlyList<SlotRecord> Slots, IReadOnlyList<ReceiverRecord> Receivers, IReadOnlyList<RowRecord> Rows,
    IReadOnlyList<string> Unseen);

/// <summary>A standby as the primary sees it.</summary>
internal sealed record SenderRecord(string ApplicationName, string? Client, string? State, string? SyncState, long? LagBytes, double? ReplayLagMs);

/// <summary>A replication slot.</summary>
internal sealed record SlotRecord(string Name, string Type, bool IsActive, string? WalStatus, long? RetainedBytes);

/// <summary>What a replica receives from.</summary>
/// <param name="Node">The replica.</param>
/// <param name="Status">Such as <c>streaming</c>; null: there is no receiver.</param>
/// <param name="From">Host and port that it receives from.</param>
/// <param name="Slot">The slot it uses.</param>
/// <param name="Timeline">The timeline it receives.</param>
internal sealed record ReceiverRecord(string Node, string? Status, string? From, string? Slot, int? Timeline);

/// <summary>A row, read back.</summary>
/// <param name="Node">The replica.</param>
/// <param name="Milliseconds">From the commit to the first read that showed the row; null: none did.</param>
/// <param name="Problem">Why none did.</param>
internal sealed record RowRecord(string Node, double? Milliseconds, string? Problem);
