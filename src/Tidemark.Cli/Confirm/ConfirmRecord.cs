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
    bool Works, string Primary, IReadOnlyList<SenderRecord> Senders, IReadOnlyList<SlotRecord> Slots,
        IReadOnlyList<ReceiverRecord> Receivers, IReadOnlyList<RowRecord> Rows,
    IReadOnlyList<string> Unseen);
