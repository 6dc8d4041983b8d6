using Tidemark.Cli.Targets;

namespace Tidemark.Cli.Status;

/// <summary>Monitors a cluster as an application does, and returns its state.</summary>
internal sealed class StatusReader : IAsyncDisposable
{
    private readonly ClusterTarget _target;
    private readonly TidemarkDataSource _source;
    private readonly NodeLoad[] _loads;

    private StatusReader(ClusterTarget target, TidemarkDataSource source) =>
        (_target, _source, _loads) = (target, source, [.. target.Nodes.Select(node => new NodeLoad(node))]);

    /// <summary>Opens the cluster and waits for the first probes.</summary>
    /// <exception cref="CommandException">No node responds; the message has the reason for each.</exception>
    public static async Task<StatusReader> OpenAsync(ClusterTarget target, CancellationToken cancellationToken)
    {
        var source = await target.OpenAsync(cancellationToken);
        if (source.Nodes.Any(node => node.Role != NodeRole.Unknown)) return new StatusReader(target, source);
        await using (source) throw target.IsSilent(source);
    }

    /// <summary>Returns the current state.</summary>
    public async Task<ClusterRecord> ReadAsync(CancellationToken cancellationToken)
    {
        var loads = await Task.WhenAll(_loads.Select(load => load.ReadAsync(cancellationToken)));
        var (snapshot, words) = (_source.Cluster.Monitor.Snapshot, _source.Nodes);
        return new ClusterRecord(_target.Source, snapshot.Primary?.Name,
            [.. _target.Nodes.Select((node, i) => Record(node, snapshot.Nodes[i], words[i], loads[i]))]);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var load in _loads) await load.DisposeAsync();
        await _source.DisposeAsync();
    }

    private static NodeRecord Record(TargetNode node, NodeState state, NodeStatus words,
        (LoadRecord? Load, IReadOnlyList<string> Notes, string? Obstacle) asked)
    {
        var isReplica = state.Status == ConcludedStatus.Replica;
        return new NodeRecord(
            node.Name, node.Address, state.Role, words.IsServing && asked.Obstacle is null, words.Problem ?? asked.Obstacle, state.Timeline,
            (ulong)state.Lsn == 0 ? null : state.Lsn.ToString(),
            isReplica ? words.LagBytes : null,
            isReplica && words.Staleness is { } staleness ? Math.Round(staleness.TotalMilliseconds, 1) : null,
            asked.Load, asked.Notes, state.ServerVersion == 0 ? null : state.ServerVersion);
    }
}
