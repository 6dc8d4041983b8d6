namespace Tidemark.Testing;

/// <summary>What the client of a write was told.</summary>
public enum HistoryOutcome
{
    /// <summary>That it is committed.</summary>
    Acknowledged,

    /// <summary>That it failed. No read may ever show it.</summary>
    Failed,

    /// <summary>Nothing: the connection broke. It counts as committed when the WAL has it, and binds its session to nothing by itself.</summary>
    Unknown,
}
