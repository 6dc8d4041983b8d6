namespace Tidemark.Verification;

/// <summary>The records in columns, both before and after they are checked for contradictions.</summary>
internal sealed class HistoryColumns(long ticksPerSecond)
{
    public long TicksPerSecond { get; } = ticksPerSecond;

    public List<string> Nodes { get; } = [];

    /// <summary>Names of clients, or <see langword="null"/> for a client that is identified by its number.</summary>
    public List<string?> Clients { get; } = [];

    /// <summary>The keys by number.</summary>
    public List<long> Keys { get; } = [];

    public BlockList<Operation> Operations { get; } = new();

    public BlockList<ShownRow> Rows { get; } = new();

    public BlockList<CommitRecord> Commits { get; } = new();

    public List<HandOverRecord> HandOvers { get; } = [];

    public List<ForkRecord> Forks { get; } = [];

    public List<LossRecord> Losses { get; } = [];

    public List<SettleRecord> Settlements { get; } = [];

    /// <summary>
    /// Converts a time span to ticks of the history and rounds up, so that a staleness bound is never checked more strictly than required.
    /// </summary>
    public long Ticks(TimeSpan span) => (long)Int128.Min(
        long.MaxValue, (((Int128)span.Ticks * TicksPerSecond) + TimeSpan.TicksPerSecond - 1) / TimeSpan.TicksPerSecond);
}
