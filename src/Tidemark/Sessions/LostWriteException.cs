namespace Tidemark;

/// <summary>
/// Thrown by a read, a write or a token capture before anything is sent, if the session has lost something and
/// <see cref="TidemarkOptions.ThrowOnLostWrite"/> is set. Thrown once for each loss.
/// </summary>
public sealed class LostWriteException : Exception
{
    /// <summary>Creates an exception without a loss.</summary>
    public LostWriteException()
    {
    }

    /// <summary>Creates an exception without a loss.</summary>
    public LostWriteException(string message)
        : base(message)
    {
    }

    /// <summary>Creates an exception without a loss.</summary>
    public LostWriteException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    internal LostWriteException(LostWrite lost)
        : base(lost.ToString()) => Lost = lost;

    /// <summary>The loss.</summary>
    public LostWrite? Lost { get; }
}
