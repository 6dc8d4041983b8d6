namespace Tidemark.Verification;

/// <summary>The response to a commit, with the positions that were piggybacked.</summary>
/// <param name="Branch">The branch of the true history that contains the commit.</param>
/// <param name="Commit">The commit.</param>
/// <param name="Timeline">The timeline that the server reports.</param>
/// <param name="Flushed">The flush position after the commit.</param>
/// <param name="Inserted">The insert position after the commit.</param>
/// <param name="Epoch">The epoch of the server.</param>
internal sealed record WriteAnswer(WalBranch Branch, SimulatedCommit Commit, uint Timeline, ulong Flushed, ulong Inserted,
    ServerEpoch Epoch);
