namespace Tidemark.Cli.Verify;

/// <summary>Upper bounds of the staleness of a replica while the sessions ran, derived from the primary's LSNs.</summary>
/// <param name="P50Ms">The median.</param>
/// <param name="MaxMs">The maximum.</param>
internal sealed record LagRecord(double P50Ms, double MaxMs);
