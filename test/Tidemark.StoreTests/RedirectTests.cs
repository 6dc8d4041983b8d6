using System.Globalization;

namespace Tidemark;

/// <summary>Write, redirect and read, with replicas that replay each commit after a delay of 50 ms.</summary>
public sealed class RedirectTests(OpenStore store) : IClassFixture<OpenStore>
{
    private static readonly TimeSpan ReplayDelay = TimeSpan.FromMilliseconds(50);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact(Timeout = 120_000)]
    public async Task Every_page_after_a_redirect_shows_the_preceding_write()
    {
        var (stale, faults) = await WriteAsync(writes: 1000, refusesSession: false);
        faults.ShouldBeEmpty();
        stale.ShouldBeEmpty();
    }

    // Proves that the test above would fail without a session.
    [Fact(Timeout = 120_000)]
    public async Task Without_the_cookie_some_pages_after_a_redirect_are_stale()
    {
        var (stale, faults) = await WriteAsync(writes: 200, refusesSession: true);
        faults.ShouldBeEmpty();
        stale.Count.ShouldBeGreaterThan(20);
    }

    private async Task<(IReadOnlyList<string> Stale, IReadOnlyList<string> Faults)> WriteAsync(int writes, bool refusesSession)
    {
        await store.Cluster.WaitForReplayAsync(Stop);
        var customers = new List<Customer>();
        try
        {
            for (var user = 1; user <= OpenStore.Users; user++) customers.Add(await Customer.ComeAsync(store, user, refusesSession));
            foreach (var replica in store.Cluster.Replicas) await replica.DelayReplayAsync(ReplayDelay, Stop);

            var watch = System.Diagnostics.Stopwatch.StartNew();
            await Task.WhenAll(customers.Select(customer => Task.Run(async () =>
            {
                for (var i = 0; i < writes / OpenStore.Users; i++) await customer.WriteAndLookAsync();
            })));

            IReadOnlyList<string> stale = [.. customers.SelectMany(customer => customer.Stale)];
            TestContext.Current.TestOutputHelper!.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{writes} writes in {watch.Elapsed.TotalSeconds:0.0} s; {stale.Count} pages after them were stale."));
            return (stale, [.. customers.SelectMany(customer => customer.Faults)]);
        }
        finally
        {
            customers.ForEach(customer => customer.Dispose());
            foreach (var replica in store.Cluster.Replicas) await replica.DelayReplayAsync(TimeSpan.Zero, Stop);
        }
    }
}
