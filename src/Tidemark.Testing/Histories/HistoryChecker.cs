namespace Tidemark.Testing;

/// <summary>Judges whether a history keeps every promise that its reads asked for.</summary>
public static class HistoryChecker
{
    /// <summary>Judges a history in one pass over its operations in the order of time.</summary>
    /// <param name="history">The history.</param>
    public static HistoryVerdict Check(History history)
    {
        ArgumentNullException.ThrowIfNull(history);
        throw new NotSupportedException();
    }
}
