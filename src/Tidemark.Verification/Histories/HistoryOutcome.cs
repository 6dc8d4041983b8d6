namespace Tidemark.Verification;

/// <summary>The outcome that the client of a write received.</summary>
public enum HistoryOutcome
{
    /// <summary>The write is committed.</summary>
    Acknowledged,

    /// <summary>The write failed. No read may ever show it.</summary>
    Failed,

    /// <summary>
    /// No outcome was received, because the connection broke. The write counts as committed if the WAL contains it. It binds its session
    /// once its server process has ended (<see cref="HistoryBuilder.Settle"/>).
    /// </summary>
    Unknown,
}
