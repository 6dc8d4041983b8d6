namespace Tidemark.Verification;

/// <summary>A history that is cut off or contradicts itself, so that no verdict on it would mean anything.</summary>
public sealed class HistoryException : Exception
{
    /// <summary>An error without a message.</summary>
    public HistoryException()
    {
    }

    /// <summary>An error with its message.</summary>
    /// <param name="message">Which record, and what it contradicts.</param>
    public HistoryException(string message) : base(message)
    {
    }

    /// <summary>An error with its message and its cause.</summary>
    /// <param name="message">Which record, and what it contradicts.</param>
    /// <param name="innerException">The cause.</param>
    public HistoryException(string message, Exception? innerException) : base(message, innerException)
    {
    }

    internal HistoryException(RecordId record, string reason) : base($"{record}: {reason}") => (Record, Reason) = (record, reason);

    internal HistoryException(long line, string reason, Exception? innerException = null) : base($"Line {line}: {reason}",
        innerException) =>
        Line = line;

    /// <summary>The line of the file, counted from 1; 0 for a history that came from no file.</summary>
    public long Line { get; }

    internal RecordId Record { get; }

    internal string? Reason { get; }
}
