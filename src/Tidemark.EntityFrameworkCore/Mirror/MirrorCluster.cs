using NpgsqlTypes;

namespace Tidemark;

/// <summary>Builds the cluster that a mirror plays: a data source whose probes are answered here, so that all nodes stay healthy.</summary>
internal static class MirrorCluster
{
    private static readonly NpgsqlLogSequenceNumber Behind = new(0x1000000);
    private static readonly NpgsqlLogSequenceNumber Present = new(0x2000000);

    public static TidemarkDataSource Build(RouteRecorder routes)
    {
        var builder = new TidemarkDataSourceBuilder { ProbeNodes = AskAsync, TimeProvider = new StoppedClock() };

        // A replica that is behind never catches up, so waiting is pointless.
        builder.Options.ReadWait = TimeSpan.Zero;
        foreach (var name in (string[])[routes.Primary, .. routes.Replicas])
            builder.AddNode(name, "Host=mirror.invalid;Username=mirror;Database=mirror");
        routes.Configure?.Invoke(builder.Options);
        var source = builder.Build();
        source.Cluster.Monitor.FirstRound();
        return source;

        Task<ProbeAnswer> AskAsync(int index, CancellationToken cancellationToken) =>
            Task.FromResult(Answer(isReplica: index > 0, routes.ReplicasAreBehind));
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
