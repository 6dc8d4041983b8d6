namespace Tidemark.Testing;

/// <summary>How a server is stopped. The modes correspond to those of <c>pg_ctl</c>.</summary>
public enum StopMode
{
    /// <summary>Aborts open transactions, disconnects clients and writes all data: a clean stop.</summary>
    Fast,

    /// <summary>Stops without writing anything. The server recovers from its WAL at the next start, as after a crash.</summary>
    Immediate,
}
