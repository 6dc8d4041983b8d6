namespace Tidemark.Cli.Confirm;

/// <summary>A standby as reported by the primary.</summary>
internal sealed record SenderRecord(string ApplicationName, string? Client, string? State, string? SyncState, long? LagBytes,
    double? ReplayLagMs);
