namespace Tidemark;

/// <summary>A node that can serve the current read, and its present load.</summary>
internal readonly record struct Candidate(int Index, double Weight, int ReadsInFlight);
