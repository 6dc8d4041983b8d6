namespace Tidemark.Cli.Confirm;

/// <summary>The result of <c>tidemark confirm</c>.</summary>
/// <param name="Works">Whether every other node is a replica and has shown the row.</param>
/// <param name="Primary">The node on which the row was written.</param>
/// <param name="Senders">The primary's <c>pg_stat_replication</c>.</param>
/// <param name="Slots">The primary's <c>pg_replication_slots</c>.</param>
/// <param name="Receivers">Each replica's <c>pg_stat_wal_receiver</c>.</param>
/// <param name="Rows">When each replica showed the row, or why it did not.</param>
/// <param name="Unseen">Views that could not be read, and why.</param>
internal sealed record ConfirmRecord(
    bool Works, string Primary, IReadOnlyList<SenderRecord> Senders, IReadOnlyList<SlotRecord> Slots,
        IReadOnlyList<ReceiverRecord> Receivers, IReadOnlyList<RowRecord> Rows,
    IReadOnlyList<string> Unseen);
