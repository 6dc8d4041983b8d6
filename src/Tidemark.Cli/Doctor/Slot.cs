namespace Tidemark.Cli.Doctor;

/// <summary>A replication slot; <c>Retained</c> is how many bytes of WAL it keeps, null where it keeps none or nobody can tell.</summary>
internal sealed record Slot(string Name, string Type, bool Active, int? ActivePid, string? WalStatus, long? Retained);
