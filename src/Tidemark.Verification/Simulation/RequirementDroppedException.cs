namespace Tidemark.Verification;

/// <summary>Thrown where a read moves to another node. With this fault planted, the read then restarts without its requirement.</summary>
#pragma warning disable CA1032, CA1064 // It is thrown and caught only in the simulation.
internal sealed class RequirementDroppedException() : Exception("The read moves to another node and loses its requirement.");
