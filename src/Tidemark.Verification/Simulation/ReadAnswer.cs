namespace Tidemark.Verification;

/// <summary>What a read was answered: the rows, and where in history they stand in truth.</summary>
internal sealed record ReadAnswer(SimulatedServer Server, bool OnPrimary, WalBranch Branch, Observation[] Rows, ulong ShownTo);
