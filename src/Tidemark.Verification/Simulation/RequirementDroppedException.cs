namespace Tidemark.Verification;

/// <summary>Where a read moves to another node, a library with that fault planted starts over without its requirement.</summary>
#pragma warning disable CA1032, CA1064 // Nobody else makes or catches it.
internal sealed class RequirementDroppedException() : Exception("The read moves, and forgets what it must include.");
