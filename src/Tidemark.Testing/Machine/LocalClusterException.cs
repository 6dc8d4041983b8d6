namespace Tidemark.Testing;

/// <summary>
/// The exception for a failed operation on a local cluster. The message states what was attempted, quotes the last lines of
/// PostgreSQL's log if there are any, and names the setting that decides.
/// </summary>
public sealed class LocalClusterException : Exception
{
    /// <summary>Initializes a new instance without a message.</summary>
    public LocalClusterException()
    {
    }

    /// <summary>Initializes a new instance with a message.</summary>
    /// <param name="message">What was attempted, why it failed, and which setting decides.</param>
    public LocalClusterException(string message) : base(message)
    {
    }

    /// <summary>Initializes a new instance with a message and a cause.</summary>
    /// <param name="message">What was attempted, why it failed, and which setting decides.</param>
    /// <param name="innerException">The cause.</param>
    public LocalClusterException(string message, Exception? innerException) : base(message, innerException)
    {
    }
}
