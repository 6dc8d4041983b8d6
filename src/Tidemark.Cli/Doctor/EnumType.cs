namespace Tidemark.Cli.Doctor;

internal sealed record EnumType(string Name, long Oid, IReadOnlyList<string> Labels);
