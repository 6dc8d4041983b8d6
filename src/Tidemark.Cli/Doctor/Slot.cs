namespace Tidemark.Cli.Doctor;

/// <summary>A replication slot. <c>Retained</c> is the number of bytes of WAL that it keeps; <c>null</c> if none or unknown.</summary>
internal sealed record Slot(string Name, string Type, bool Active, int? ActivePid, string? WalStatus, long? Retained);
