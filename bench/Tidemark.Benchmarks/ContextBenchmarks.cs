using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Configs;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>
/// Compares a context with Tidemark to one with plain EF Core on real servers: plain EF Core reads from a primary, and routed reads go to
/// a replica. Targets: a routed read takes at most 1.05 times as long and allocates at most 512 bytes more. A save needs no additional
/// round trip (<c>RoundTripTests</c> counts them). Client and servers share the machine, so compare times only within one run.
/// </summary>
[MemoryDiagnoser]
[CategoriesColumn]
[GroupBenchmarksBy(BenchmarkLogicalGroupRule.ByCategory)]
#pragma warning disable CA1001 // GlobalCleanup closes what GlobalSetup opens.
public class ContextBenchmarks
#pragma warning restore CA1001
{
    private LocalCluster _cluster = null!;
    private TidemarkDataSource _source = null!;
    private NpgsqlDataSource _primary = null!;
    private DbContextOptions _plainOptions = null!;
    private DbContextOptions _routedOptions = null!;
    private (CounterContext Reading, CounterContext Saving, Counter Saved) _plain;
    private (CounterContext Reading, CounterContext Saving, Counter Saved) _routed;

    /// <summary>Starts the servers and opens a context of each kind.</summary>
    [GlobalSetup]
    public void Start() => StartAsync().GetAwaiter().GetResult();

    // A run in the runner's own process (--inProcess) does not await an asynchronous set-up.
    private async Task StartAsync()
    {
        _cluster = await LocalCluster.StartAsync(replicas: 1);
        _primary = NpgsqlDataSource.Create(_cluster.Primary.ConnectionString);
        await using (var table = _primary.CreateCommand("CREATE TABLE counters (id int PRIMARY KEY, value int NOT NULL); INSERT INTO "
            + "counters SELECT i, 0 FROM generate_series(1, 3) i"))
            await table.ExecuteNonQueryAsync();
        await _cluster.WaitForReplayAsync();

        var builder = new TidemarkDataSourceBuilder();
        foreach (var node in _cluster.Nodes) builder.AddNode(node.Name, node.ConnectionString);
        _source = builder.Build();
        await _source.Cluster.Monitor.FirstRoundAsync(CancellationToken.None);

        _plainOptions = new DbContextOptionsBuilder().UseNpgsql(_primary).Options;
        _routedOptions = new DbContextOptionsBuilder().UseTidemark(_source).Options;
        _plain = await OpenAsync(_plainOptions, saves: 2);
        _routed = await OpenAsync(_routedOptions, saves: 3);

        var decision = _routed.Reading.Counters.AsNoTracking().Where(c => c.Id == 1).ExplainRoute();
        Console.WriteLine($"// Routed reads: {decision}");
    }

    /// <summary>Closes the contexts and stops the servers.</summary>
    [GlobalCleanup]
    public void Stop() => StopAsync().GetAwaiter().GetResult();

    private async Task StopAsync()
    {
        foreach (var (reading, saving, _) in new[] { _plain, _routed })
        {
            await reading.DisposeAsync();
            await saving.DisposeAsync();
        }

        await _primary.DisposeAsync();
        await _source.DisposeAsync();
        await _cluster.DisposeAsync();
    }

    /// <summary>Reads one untracked row in an existing context.</summary>
    [Benchmark(Baseline = true)]
    [BenchmarkCategory("Read")]
    public Task<Counter> PlainRead() => ReadAsync(_plain.Reading);

    /// <summary>The same read, routed.</summary>
    [Benchmark]
    [BenchmarkCategory("Read")]
    public Task<Counter> RoutedRead() => ReadAsync(_routed.Reading);

    /// <summary>
    /// Reads one untracked row synchronously. Its allocations, unlike those of the asynchronous read, do not depend on whether the answer
    /// arrived before it was awaited.
    /// </summary>
    [Benchmark(Baseline = true)]
    [BenchmarkCategory("Blocking read")]
    public Counter PlainBlockingRead() => Read(_plain.Reading);

    /// <summary>The same synchronous read, routed.</summary>
    [Benchmark]
    [BenchmarkCategory("Blocking read")]
    public Counter RoutedBlockingRead() => Read(_routed.Reading);

    /// <summary>Reads one untracked row in a new context, as in a web request.</summary>
    [Benchmark(Baseline = true)]
    [BenchmarkCategory("Read in a new context")]
    public async Task<Counter> PlainReadInNewContext()
    {
        await using var context = new CounterContext(_plainOptions);
        return await ReadAsync(context);
    }

    /// <summary>The same read in a new context, routed.</summary>
    [Benchmark]
    [BenchmarkCategory("Read in a new context")]
    public async Task<Counter> RoutedReadInNewContext()
    {
        await using var context = new CounterContext(_routedOptions);
        return await ReadAsync(context);
    }

    /// <summary>Changes and saves one tracked row.</summary>
    [Benchmark(Baseline = true)]
    [BenchmarkCategory("Save")]
    public Task<int> PlainSave() => SaveAsync(_plain);

    /// <summary>The same save, which also returns the WAL position of the commit.</summary>
    [Benchmark]
    [BenchmarkCategory("Save")]
    public Task<int> RoutedSave() => SaveAsync(_routed);

    private static Counter Read(CounterContext context) => context.Counters.AsNoTracking().Single(c => c.Id == 1);

    private static Task<Counter> ReadAsync(CounterContext context) => context.Counters.AsNoTracking().SingleAsync(c => c.Id == 1);

    private static Task<int> SaveAsync((CounterContext Reading, CounterContext Saving, Counter Saved) contexts)
    {
        contexts.Saved.Value++;
        return contexts.Saving.SaveChangesAsync();
    }

    private static async Task<(CounterContext Reading, CounterContext Saving, Counter Saved)> OpenAsync(DbContextOptions options, int saves)
    {
        var saving = new CounterContext(options);
        return (new CounterContext(options), saving, await saving.Counters.SingleAsync(c => c.Id == saves));
    }
}
