namespace Tidemark;

/// <summary>
/// Thrown by a read, a write or a capture before it is sent, where <see cref="TidemarkOptions.ThrowOnLostWrite"/> asks for it, once for
/// each loss.
/// </summary>
public sealed class LostWriteException : Exception
{
    /// <summary>An exception without a loss.</summary>
    public LostWriteException()
    {
    }

    /// <summary>An exception without a loss.</summary>
    public LostWriteException(string message)
        : base(message)
    {
    }

    /// <summary>An exception without a loss.</summary>
    public LostWriteException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    internal LostWriteException(LostWrite lost)
        : base(lost.ToString()) => Lost = lost;

    /// <summary>What was lost.</summary>
    public LostWrite? Lost { get; }
}
