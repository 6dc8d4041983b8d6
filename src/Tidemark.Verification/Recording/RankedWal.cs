namespace Tidemark.Verification;

/// <summary>Commits with their WAL positions, and the forks between their timelines.</summary>
internal sealed record RankedWal(IReadOnlyList<RankedWrite> Commits, IReadOnlyList<Fork> Forks);
