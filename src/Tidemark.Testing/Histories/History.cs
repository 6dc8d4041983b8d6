namespace Tidemark.Testing;

/// <summary>
/// What clients did and saw, and in which order the WAL has it: complete, free of contradictions, immutable. <see cref="HistoryBuilder"/> makes it,
/// <see cref="HistoryChecker"/> judges it.
/// </summary>
public sealed class History
{
    internal History(HistoryColumns columns) => Columns = columns;

    /// <summary>How many operations there are; they are numbered from 0 in the order they were added.</summary>
    public int OperationCount => Columns.Operations.Count;

    internal HistoryColumns Columns { get; }
}
