namespace Tidemark.Cli.Verify;

/// <summary>How stale a replica was while the sessions ran, at most, by the primary's positions.</summary>
/// <param name="P50Ms">At half of the looks it was no more.</param>
/// <param name="MaxMs">It was never more.</param>
internal sealed record LagRecord(double P50Ms, double MaxMs);
