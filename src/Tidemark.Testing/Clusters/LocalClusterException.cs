namespace Tidemark.Testing;

/// <summary>
/// A local cluster could not do what was asked. The message says what was tried, quotes the last log lines of PostgreSQL
/// where there are any, and names the setting that decides.
/// </summary>
public sealed class LocalClusterException : Exception
{
    /// <summary>An error without a message.</summary>
    public LocalClusterException()
    {
    }

    /// <summary>An error with its message.</summary>
    /// <param name="message">What was asked, what stood in the way, what decides.</param>
    public LocalClusterException(string message) : base(message)
    {
    }

    /// <summary>An error with its message and its cause.</summary>
    /// <param name="message">What was asked, what stood in the way, what decides.</param>
    /// <param name="innerException">The cause.</param>
    public LocalClusterException(string message, Exception? innerException) : base(message, innerException)
    {
    }
}
