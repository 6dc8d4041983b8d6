namespace Tidemark.Verification;

/// <summary>What was recorded, in columns, before and after it was found free of contradictions.</summary>
internal sealed class HistoryColumns(long ticksPerSecond)
{
    public long TicksPerSecond { get; } = ticksPerSecond;

    public List<string> Nodes { get; } = [];

    /// <summary>Names of clients; null for one that goes by its number.</summary>
    public List<string?> Clients { get; } = [];

    /// <summary>The keys by their numbers.</summary>
    public List<long> Keys { get; } = [];

    public Column<Operation> Operations { get; } = new();

    public Column<ShownRow> Rows { get; } = new();

    public Column<CommitRecord> Commits { get; } = new();

    public List<HandOverRecord> HandOvers { get; } = [];

    public List<ForkRecord> Forks { get; } = [];

    public List<LossRecord> Losses { get; } = [];

    public List<SettleRecord> Settlements { get; } = [];

    /// <summary>A span of time in ticks of the history, rounded up: a bound is never judged tighter than it was asked for.</summary>
    public long Ticks(TimeSpan span) => (long)Int128.Min(
        long.MaxValue, (((Int128)span.Ticks * TicksPerSecond) + TimeSpan.TicksPerSecond - 1) / TimeSpan.TicksPerSecond);
}
