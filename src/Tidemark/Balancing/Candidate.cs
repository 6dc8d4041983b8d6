namespace Tidemark;

/// <summary>A node that may serve the read at hand, and what it carries now.</summary>
internal readonly record struct Candidate(int Index, double Weight, int ReadsInFlight);
