namespace Tidemark;

/// <summary>How an operation waits for a server. One body serves both kinds of callers (<see cref="Io"/>).</summary>
internal enum IoMode
{
    /// <summary>Blocks the caller's thread. The returned task is complete.</summary>
    Blocking,

    /// <summary>Awaits.</summary>
    Async,
}
