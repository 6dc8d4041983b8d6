using NpgsqlTypes;

namespace Tidemark;

/// <summary>Builds the cluster that a mirror plays: a data source whose probes are answered here, so that all nodes stay healthy.</summary>
internal static class MirrorCluster
{
    private static readonly NpgsqlLogSequenceNumber Behind = new(0x1000000);
    private static readonly NpgsqlLogSequenceNumber Present = new(0x2000000);

    /// <param name="primary">The name of the primary.</param>
    /// <param name="replicas">The names of the replicas.</param>
    /// <param name="areBehind">Whether the replicas lack everything that is written.</param>
    /// <param name="configure">Configures the options of the cluster; <see langword="null"/> for those of a new cluster.</param>
    public static TidemarkDataSource Build(
        string primary, IReadOnlyList<string> replicas, bool areBehind, Action<TidemarkOptions>? configure)
    {
        var builder = new TidemarkDataSourceBuilder { ProbeNodes = QueryAsync, TimeProvider = new StoppedClock() };

        // A replica that is behind never catches up, so waiting is pointless.
        builder.Options.ReadWait = TimeSpan.Zero;
        foreach (var name in (string[])[primary, .. replicas])
            builder.AddNode(name, "Host=mirror.invalid;Username=mirror;Database=mirror");
        configure?.Invoke(builder.Options);
        var source = builder.Build();
        source.Cluster.Monitor.FirstRound();
        return source;

        Task<ProbeAnswer> QueryAsync(int index, CancellationToken cancellationToken) =>
            Task.FromResult(Answer(isReplica: index > 0, areBehind));
    }

    private static ProbeAnswer Answer(bool isReplica, bool isBehind) => new()
    {
        Epoch = new ServerEpoch(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch),
        SystemIdentifier = 1,
        Timeline = 1,
        SeesTimeline = true,
        IsInRecovery = isReplica,
        Lsn = isReplica && isBehind ? Behind : Present,
        InsertLsn = isReplica ? default : Present,
    };

    // The staleness of a replica must not depend on how long a test takes.
    private sealed class StoppedClock : TimeProvider
    {
        public override long GetTimestamp() => 0;
    }
}
