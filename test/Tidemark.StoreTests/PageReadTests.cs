using System.Diagnostics;
using System.Globalization;

namespace Tidemark;

/// <summary>Checks which nodes serve the reads of the pages, by the statistics of the servers.</summary>
public sealed class PageReadTests(OpenStore store) : IClassFixture<OpenStore>
{
    // Takes half a minute on two cores.
    private const int Pages = 10_000;

    private static readonly string[] ForAll =
        ["/", "/?p=7", "/?category=Desk&p=3", "/?search=kettle", "/?p=400&category=", "/?category=Audio&search=oak"];

    private static readonly string[] ForUsers = ["/wishlist", "/messages"];

    [Fact(Timeout = 600_000)]
    public async Task Ten_thousand_pages_read_evenly_from_both_replicas()
    {
        // The process that created the tables has also read them on the primary.
        await store.ReopenAsync();
        var before = await store.CountReadsAsync();

        var watch = Stopwatch.StartNew();
        var faults = await Task.WhenAll(Enumerable.Range(1, 4).Select(number => Task.Run(() => ReadAsync(number, Pages / 4))));
        var elapsed = watch.Elapsed;
        faults.SelectMany(found => found).ShouldBeEmpty();

        await store.CloseAsync();
        var after = await store.CountReadsAsync();
        var reads = after.Zip(before, (now, then) => now - then).ToArray();
        var onReplicas = reads.Skip(1).Sum();
        var share = (double)onReplicas / reads.Sum();
        var split = (double)reads[1] / onReplicas;
        TestContext.Current.TestOutputHelper!.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{Pages} pages in {elapsed.TotalSeconds:0.0} s. Reads of the products: {string.Join(", ", reads)}; {share:0.00%} on replicas, "
                + $"{split:0.0%} of them on pg-2."));

        onReplicas.ShouldBeGreaterThan(Pages);
        share.ShouldBeGreaterThanOrEqualTo(0.99);
        split.ShouldBeInRange(0.45, 0.55);
    }

    /// <summary>Reads pages sequentially, as a guest or as a user.</summary>
    /// <returns>The faults of the pages.</returns>
    private async Task<List<string>> ReadAsync(int number, int pages)
    {
        var isUser = number % 2 == 0;
        using var visitor = isUser ? await store.SignInAsync(number) : store.Visit();
        string[] paths = isUser ? [.. ForAll, .. ForUsers] : ForAll;
        var faults = new List<string>();
        for (var i = 0; i < pages; i++)
            if ((await visitor.GetAsync(paths[i % paths.Length])).FindFault() is { } fault) faults.Add(fault);
        return faults;
    }
}
