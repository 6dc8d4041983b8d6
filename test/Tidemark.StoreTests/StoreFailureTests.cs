using System.Net;

namespace Tidemark;

/// <summary>What the store's users see of servers that are killed; each test breaks a cluster of its own.</summary>
public sealed class StoreFailureTests : IAsyncLifetime
{
    private readonly OpenStore _store = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => _store.InitializeAsync();

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Fact(Timeout = 120_000)]
    public async Task A_replica_that_is_killed_and_comes_back_costs_no_page_and_makes_none_stale()
    {
        // Slow enough that a page from a replica would miss what was written before it.
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

        // Its counters began anew with the start.
        await _store.CloseAsync();
        (await _store.CountReadsAsync())[1].ShouldBeGreaterThan(0);
    }

    [Fact(Timeout = 120_000)]
    public async Task With_the_primary_killed_pages_are_served_and_a_write_shows_what_was_seen()
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
