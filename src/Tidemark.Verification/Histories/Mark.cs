namespace Tidemark.Verification;

/// <summary>The highest rank on one timeline, and the operation that it comes from.</summary>
internal record struct Mark(long Rank, int Operation);
