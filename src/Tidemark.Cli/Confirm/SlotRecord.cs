namespace Tidemark.Cli.Confirm;

/// <summary>A replication slot.</summary>
internal sealed record SlotRecord(string Name, string Type, bool IsActive, string? WalStatus, long? RetainedBytes);
