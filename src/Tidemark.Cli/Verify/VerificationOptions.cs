namespace Tidemark.Cli.Verify;

/// <summary>What a verification is to do.</summary>
internal sealed record VerificationOptions(TimeSpan Duration, int Sessions, VerifyPolicy Policy, TimeSpan MaxStaleness);
