namespace Tidemark.Verification;

/// <summary>What the client of a write was told.</summary>
public enum HistoryOutcome
{
    /// <summary>That it is committed.</summary>
    Acknowledged,

    /// <summary>That it failed. No read may ever show it.</summary>
    Failed,

    /// <summary>
    /// Nothing: the connection broke. It counts as committed when the WAL has it. It binds its session once its server process is gone
    /// (<see cref="HistoryBuilder.Settle"/>).
    /// </summary>
    Unknown,
}
