namespace Tidemark.Verification;

/// <summary>Thrown for a history that is truncated or contradicts itself, so that a verdict would have no meaning.</summary>
public sealed class HistoryException : Exception
{
    /// <summary>Creates an exception without a message.</summary>
    public HistoryException()
    {
    }

    /// <summary>Creates an exception with a message.</summary>
    /// <param name="message">The record, and what it contradicts.</param>
    public HistoryException(string message) : base(message)
    {
    }

    /// <summary>Creates an exception with a message and a cause.</summary>
    /// <param name="message">The record, and what it contradicts.</param>
    /// <param name="innerException">The cause.</param>
    public HistoryException(string message, Exception? innerException) : base(message, innerException)
    {
    }

    internal HistoryException(RecordId record, string reason) : base($"{record}: {reason}") => (Record, Reason) = (record, reason);

    internal HistoryException(long line, string reason, Exception? innerException = null) : base($"Line {line}: {reason}",
        innerException) =>
        Line = line;

    /// <summary>Line number in the file, counted from 1, or 0 if the history was not read from a file.</summary>
    public long Line { get; }

    internal RecordId Record { get; }

    internal string? Reason { get; }
}
