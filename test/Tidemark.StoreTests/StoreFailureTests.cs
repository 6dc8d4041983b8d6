using System.Net;

namespace Tidemark;

/// <summary>Effects of killed servers on the users of the store. Each test uses a separate cluster.</summary>
public sealed class StoreFailureTests : IAsyncLifetime
{
    private readonly OpenStore _store = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => _store.InitializeAsync();

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Fact(Timeout = 120_000)]
    public async Task Killing_and_restarting_a_replica_causes_no_failed_and_no_stale_page()
    {
        // The delay is long enough that a page read from a replica would miss the preceding write.
        foreach (var node in _store.Cluster.Replicas) await node.DelayReplayAsync(TimeSpan.FromMilliseconds(50), Stop);
        var replica = _store.Cluster["pg-2"];
        await using var traffic = await Traffic.StartAsync(_store);
        await traffic.AtLeastAsync(300);

        await replica.KillAsync(Stop);
        await traffic.AtLeastAsync(300);
        using (var visitor = _store.Visit()) (await visitor.GetAsync("/"))
            .Html.ShouldNotContain("""<span class="node node-2" title="replica">pg-2</span>""");

        await replica.StartAsync(Stop);
        await traffic.AtLeastAsync(600);
        await traffic.StopAsync();
        traffic.Faults.ShouldBeEmpty();
        traffic.Stale.ShouldBeEmpty();

        // The counters of the replica were reset by its restart.
        await _store.CloseAsync();
        (await _store.CountReadsAsync())[1].ShouldBeGreaterThan(0);
    }

    [Fact(Timeout = 120_000)]
    public async Task Without_the_primary_pages_are_served_and_a_failed_write_lists_the_nodes()
    {
        using var user = await _store.SignInAsync(1);
        await _store.Cluster.Primary.KillAsync(Stop);

        string[] paths = ["/", "/?search=kettle", "/wishlist", "/messages"];
        foreach (var path in paths) (await user.GetAsync(path)).FindFault().ShouldBeNull();

        var wishes = await user.GetAsync("/wishlist");
        var answer = await user.PostAsync("/wishlist?handler=Add", ("product", "77"));
        answer.Status.ShouldBe(HttpStatusCode.InternalServerError);
        answer.Text.ShouldContain("<h1>Something went wrong</h1>");
        answer.Text.ShouldContain("needs the primary");
        answer.Text.ShouldContain("pg-1  unreachable");
        answer.Text.ShouldContain("pg-2  is a replica");
        answer.Text.ShouldContain("pg-3  is a replica");
        answer.Text.ShouldContain("Start the primary or promote a replica");

        foreach (var path in paths) (await user.GetAsync(path)).FindFault().ShouldBeNull();
        (await user.GetAsync("/wishlist")).Wishes.ShouldBe(wishes.Wishes);

        await _store.Cluster.Primary.StartAsync(Stop);
        while ((await user.PostAsync("/wishlist?handler=Add", ("product", "77"))) is var page && !page.ShowsWish(77))
            page.Status.ShouldBe(HttpStatusCode.InternalServerError);
    }
}
