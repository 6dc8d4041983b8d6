namespace Tidemark.Cli.Doctor;

internal sealed record IdentityFacts(string SystemIdentifier);
