namespace Tidemark.Cli.Doctor;

/// <summary>A server that responded at an address.</summary>
/// <param name="StartedAt">When the server was started.</param>
/// <param name="SystemIdentifier">The cluster that it belongs to.</param>
internal sealed record NamedServer(string StartedAt, string SystemIdentifier);
