namespace Tidemark.Cli.Doctor;

/// <summary>A node in the report.</summary>
internal sealed record ExaminedNode(string Name, string? Role, string? Version, bool IsReachable);
