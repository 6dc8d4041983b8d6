namespace Tidemark;

/// <summary>What the data source reports about its nodes.</summary>
public sealed class NodeStatusTests : IAsyncLifetime
{
    private readonly StoreCluster _store = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => _store.InitializeAsync();

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Fact]
    public async Task A_node_reports_its_lag_and_staleness()
    {
        var replica = _store.Cluster["pg-2"];
        await StoreCluster.UntilAsync(_store.Source, nodes => nodes["pg-2"] is { LagBytes: 0, Staleness: not null });
        await replica.PauseReplayAsync(Stop);
        try
        {
            await _store.Cluster.Primary.RunAsync("INSERT INTO items (name) SELECT repeat('x', 100) FROM generate_series(1, 1000)");
            await StoreCluster.UntilAsync(_store.Source, nodes =>
                nodes["pg-2"] is { LagBytes: > 100_000 } late && late.Staleness > TimeSpan.FromMilliseconds(500));
            var primary = _store.Source.Nodes[0];
            (primary.LagBytes, primary.Staleness).ShouldBe((0, TimeSpan.Zero));
        }
        finally
        {
            await replica.ResumeReplayAsync(Stop);
        }

        await StoreCluster.UntilAsync(_store.Source, nodes =>
            nodes["pg-2"] is { LagBytes: 0 } current && current.Staleness < TimeSpan.FromMilliseconds(500));
        await replica.KillAsync(Stop);
        await StoreCluster.UntilAsync(_store.Source, nodes => !nodes["pg-2"].IsServing);
        var gone = _store.Source.Nodes[1];
        (gone.LagBytes, gone.Staleness).ShouldBe((null, null));
        gone.Problem.ShouldNotBeNull().ShouldStartWith("unreachable: ");
    }
}
