namespace Tidemark.Cli.Verify;

/// <summary>The parameters of a verification.</summary>
internal sealed record VerificationOptions(TimeSpan Duration, int Sessions, VerifyPolicy Policy, TimeSpan MaxStaleness);
