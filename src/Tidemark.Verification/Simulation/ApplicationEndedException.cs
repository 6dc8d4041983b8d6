namespace Tidemark.Verification;

/// <summary>The process was killed; nobody is left to be told.</summary>
#pragma warning disable CA1032, CA1064 // Nobody else makes or catches it.
internal sealed class ApplicationEndedException() : Exception("The simulated process was killed.");
