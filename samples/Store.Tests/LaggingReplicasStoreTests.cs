using Microsoft.EntityFrameworkCore;

namespace Store;

/// <summary>Runs the store tests on a cluster whose replicas replay each commit with a delay of 200 ms.</summary>
public sealed class LaggingReplicasStoreTests(Servers servers) : StoreTests(user: 3)
{
    [Fact]
    public async Task Without_the_session_in_its_cookie_a_page_is_stale()
    {
        using var visitor = Visit(refusesSession: true);
        await visitor.SignInAsync(user: 4);

        // A page may take longer than the replay delay, but hardly every page does.
        var isStale = false;
        for (var product = 100; product < 120 && !isStale; product++)
            isStale = !(await visitor.PostAsync("/wishlist?handler=Add", ("product", $"{product}"))).ShowsWish(product);
        isStale.ShouldBeTrue();
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await DelayAsync(TimeSpan.Zero);
    }

    private protected override async Task<StoreApplication> OpenAsync()
    {
        await DelayAsync(TimeSpan.FromMilliseconds(200));
        return new StoreApplication(servers.Cluster.Nodes);
    }

    private async Task DelayAsync(TimeSpan delay)
    {
        foreach (var replica in servers.Cluster.Replicas) await replica.DelayReplayAsync(delay, TestContext.Current.CancellationToken);
    }
}
