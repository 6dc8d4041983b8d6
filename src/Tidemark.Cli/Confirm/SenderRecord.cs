namespace Tidemark.Cli.Confirm;

/// <summary>A standby as the primary sees it.</summary>
internal sealed record SenderRecord(string ApplicationName, string? Client, string? State, string? SyncState, long? LagBytes,
    double? ReplayLagMs);
