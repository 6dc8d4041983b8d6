namespace Tidemark.Testing;

/// <summary>How a server is stopped, in the words of <c>pg_ctl</c>.</summary>
public enum StopMode
{
    /// <summary>Open transactions are aborted, clients disconnected, and everything is written: a clean stop.</summary>
    Fast,

    /// <summary>The server leaves without writing anything and recovers from its WAL at the next start, as after a crash.</summary>
    Immediate,
}
