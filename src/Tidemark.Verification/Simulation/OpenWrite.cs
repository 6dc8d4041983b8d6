namespace Tidemark.Verification;

/// <summary>A write in a transaction that is still open.</summary>
/// <param name="Server">Where.</param>
/// <param name="EpochNumber">The life of the server in which it was made.</param>
/// <param name="Key">The row.</param>
/// <param name="Transaction">The transaction, as the server names it.</param>
/// <param name="Timeline">The timeline, as the server tells it.</param>
/// <param name="Inserted">The insert position after the statement.</param>
/// <param name="Epoch">The server's run.</param>
internal sealed record OpenWrite(SimulatedServer Server, int EpochNumber, int Key, string Transaction, uint Timeline, ulong Inserted,
    ServerEpoch Epoch);
