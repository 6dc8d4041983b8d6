using Tidemark.Testing;

namespace Tidemark.Cli.Local;

/// <summary>A node of a local cluster.</summary>
internal sealed record LocalNodeRecord(
    string Name, LocalNodeRole Role, bool Running, bool Answers, string? Refusal, int Port, int? ProcessId, string? Follows, bool Streaming,
        int? Timeline, string? Position, long? LagBytes, bool Paused,
    int DelayMs, string ConnectionString)
{
    public static LocalNodeRecord Of(LocalNodeStatus node, KeptNode kept) => new(
        node.Name, node.Role, node.IsRunning, node.Answers, node.Refusal, node.Port, node.ProcessId, node.Follows, node.IsStreaming,
            node.Timeline, node.Lsn?.ToString(), node.LagBytes, node.IsPaused,
        (int)node.Delay.TotalMilliseconds, kept.ConnectionString);
}
