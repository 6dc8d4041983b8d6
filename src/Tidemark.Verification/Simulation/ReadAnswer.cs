namespace Tidemark.Verification;

/// <summary>The result of a read: the rows, and their true position in history.</summary>
internal sealed record ReadAnswer(SimulatedServer Server, bool OnPrimary, WalBranch Branch, Observation[] Rows, ulong ShownTo);
