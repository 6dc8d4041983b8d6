namespace Tidemark.Verification;

/// <summary>Thrown when the simulated process was killed, so that no code of it continues.</summary>
#pragma warning disable CA1032, CA1064 // It is thrown and caught only in the simulation.
internal sealed class ApplicationEndedException() : Exception("The simulated process was killed.");
