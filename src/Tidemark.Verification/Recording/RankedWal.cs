namespace Tidemark.Verification;

/// <summary>Commits with their places, and the forks between their timelines.</summary>
internal sealed record RankedWal(IReadOnlyList<RankedWrite> Commits, IReadOnlyList<Fork> Forks);
