namespace Tidemark.Cli.Doctor;

/// <summary>A server that answered to an address.</summary>
/// <param name="StartedAt">When it was started.</param>
/// <param name="SystemIdentifier">Its cluster.</param>
internal sealed record NamedServer(string StartedAt, string SystemIdentifier);
