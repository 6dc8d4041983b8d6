using Tidemark.Testing;

namespace Tidemark.Cli.Local;

/// <summary>A kept cluster as it stands, for both people and JSON.</summary>
internal sealed record LocalClusterRecord(
    string Name, int PostgresVersion, string Database, bool SynchronousReplicas, string Folder, string ConnectionString, IReadOnlyList<LocalNodeRecord> Nodes, IReadOnlyList<string> Findings)
{
    public static async Task<LocalClusterRecord> ReadAsync(string name, CancellationToken cancellationToken)
    {
        var kept = KeptCluster.Read(name);
        return Of(kept, await kept.AskNodesAsync(cancellationToken));
    }

    public static LocalClusterRecord Of(KeptCluster kept, IReadOnlyList<LocalNodeStatus> nodes) => new(
        kept.Name, kept.PostgresVersion, kept.Database, kept.HasSynchronousReplicas, kept.Folder, kept.ConnectionString,
        [.. nodes.Zip(kept.Nodes, LocalNodeRecord.Of)], LocalFindings.Of(kept.Name, kept.HasSynchronousReplicas, nodes));

    public LocalNodeRecord this[string node] => Nodes.First(each => each.Name == node);
}

/// <summary>One node of it.</summary>
internal sealed record LocalNodeRecord(
    string Name, LocalNodeRole Role, bool Running, bool Answers, string? Refusal, int Port, int? ProcessId, string? Follows, bool Streaming, int? Timeline, string? Position, long? LagBytes, bool Paused,
    int DelayMs, string ConnectionString)
{
    public static LocalNodeRecord Of(LocalNodeStatus node, KeptNode kept) => new(
        node.Name, node.Role, node.IsRunning, node.Answers, node.Refusal, node.Port, node.ProcessId, node.Follows, node.IsStreaming, node.Timeline, node.Position?.ToString(), node.LagBytes, node.IsPaused,
        (int)node.Delay.TotalMilliseconds, kept.ConnectionString);
}

/// <summary>A line of the list of clusters.</summary>
internal sealed record LocalListRecord(string Name, int? PostgresVersion, string? Database, int? Nodes, int? Running, string? Problem)
{
    public static async Task<LocalListRecord> ReadAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            var kept = KeptCluster.Read(name);
            var running = (await kept.AskNodesAsync(cancellationToken)).Count(node => node.IsRunning);
            return new(name, kept.PostgresVersion, kept.Database, kept.Nodes.Count, running, Problem: null);
        }
        catch (Exception e) when (e is LocalClusterException or KeyNotFoundException)
        {
            return new(name, null, null, null, null, e.Message);
        }
    }
}
