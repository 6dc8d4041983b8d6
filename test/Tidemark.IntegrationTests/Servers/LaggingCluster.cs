using Microsoft.EntityFrameworkCore;

namespace Tidemark;

/// <summary>A primary with three replicas whose commits are replayed 5, 50 and 200 ms late.</summary>
public sealed class LaggingCluster : StoreCluster
{
    protected override int Replicas => 3;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        foreach (var (node, milliseconds) in Cluster.Replicas.Zip((int[])[5, 50, 200]))
            await node.DelayReplayAsync(TimeSpan.FromMilliseconds(milliseconds), TestContext.Current.CancellationToken);
    }
}
