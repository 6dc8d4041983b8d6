namespace Tidemark.Verification;

/// <summary>A write in a transaction that is still open.</summary>
/// <param name="Server">The server.</param>
/// <param name="EpochNumber">The number of the server's epoch in which the write was made.</param>
/// <param name="Key">Key of the row.</param>
/// <param name="Transaction">Name of the transaction on the server.</param>
/// <param name="Timeline">The timeline that the server reports.</param>
/// <param name="Inserted">The insert position after the statement.</param>
/// <param name="Epoch">The epoch of the server.</param>
internal sealed record OpenWrite(SimulatedServer Server, int EpochNumber, int Key, string Transaction, uint Timeline, ulong Inserted,
    ServerEpoch Epoch);
