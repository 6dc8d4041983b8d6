namespace Tidemark.Verification;

/// <summary>What a commit was answered, with the positions that ride behind it.</summary>
/// <param name="Branch">Where in history the commit stands in truth.</param>
/// <param name="Commit">The commit.</param>
/// <param name="Timeline">The timeline, as the server tells it.</param>
/// <param name="Flushed">The flush position after the commit.</param>
/// <param name="Inserted">The insert position after the commit.</param>
/// <param name="Epoch">The server's run.</param>
internal sealed record WriteAnswer(WalBranch Branch, SimulatedCommit Commit, uint Timeline, ulong Flushed, ulong Inserted,
    ServerEpoch Epoch);
