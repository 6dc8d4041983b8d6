using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Tidemark.Testing;
using Tidemark.Verification;

namespace Tidemark;

/// <summary>The code of the pages in docs. <see cref="SnippetTests"/> compares each snippet with this code, which only compiles.</summary>
internal static class PageExamples
{
    private enum Mood
    {
        Calm,
    }

    public static void Configuration(IServiceCollection services, IConfiguration configuration)
    {
        services.AddTidemark(configuration.GetSection("Tidemark"), node => node.MapEnum<Mood>("mood"));
    }

    public static void EntityFramework(ModelBuilder model)
    {
        model.Entity<UserProfile>().ReadsFromPrimary();                                    // my own profile
        model.Entity<PublicProfile>().ToView("profiles").Reads(Consistency.Eventual);      // a profile, as others see it

        model.Entity<Order>().Property(order => order.Version).IsRowVersion();             // a uint, mapped to PostgreSQL's xmin
    }

    public static void InternalServices(DbContextOptionsBuilder options, TidemarkDataSource source)
    {
        var services = new ServiceCollection().AddEntityFrameworkNpgsql().AddEntityFrameworkTidemark().BuildServiceProvider();
        options.UseInternalServiceProvider(services).UseTidemark(source);
    }

    public static async Task SessionsAsync(TidemarkDataSource tidemark)
    {
        using var session = tidemark.BeginSession();                              // in a request there is one already
        await using (var write = tidemark.CreateCommand("UPDATE orders SET paid = true WHERE id = 42"))
            await write.ExecuteNonQueryAsync();

        // Routed when it runs, and retried if its node fails.
        await using var read = tidemark.CreateReadCommand("SELECT paid FROM orders WHERE id = 42");
        var paid = await read.ExecuteScalarAsync();

        // Routed once, now: for Dapper, COPY, LISTEN.
        await using var connection = await tidemark.OpenReadConnectionAsync();

        // tidemark.BeginSession(token) continues from there in another process.
        CausalToken token = await tidemark.CaptureTokenAsync();
    }

    public static async Task FreshnessAsync(TidemarkOptions options)
    {
        var store = new TableFreshnessStore("tidemark_freshness");    // store.Ddl is the statement for a migration
        var tidemark = new TidemarkDataSourceBuilder(options) { FreshnessStore = store }.Build();
        await store.CreateTableAsync();
    }

    public static async Task HistoryAsync()
    {
        await using var cluster = await LocalCluster.StartAsync(replicas: 3);
        await using var recorder = await HistoryRecorder.StartAsync(cluster);

        var nodes = new TidemarkDataSourceBuilder();
        foreach (var node in cluster.Nodes) nodes.AddNode(node.Name, node.ConnectionString);
        await using var source = nodes.Build();
        recorder.Watch(source);                                       // losses that it reports

        var alice = recorder.AddClient("alice");                      // one session
        using (source.BeginSession())
        {
            await using var write = source.CreateCommand();
            await alice.WriteAsync(key: 3, write);
            await using var read = source.CreateReadCommand();
            await alice.ReadAsync([3, 5], read, Consistency.Session);
        }

        HistoryVerdict verdict = HistoryChecker.Check(await recorder.CompleteAsync());
    }

    public static async Task WorkloadAsync(HistoryRecorder recorder, TidemarkDataSource source)
    {
        var options = new HistoryWorkloadOptions { Duration = TimeSpan.FromSeconds(30) };
        HistoryReport report = await HistoryWorkload.RunAsync(recorder, WorkloadRouter.Tidemark(source), options);
    }

    public static void Simulation()
    {
        var result = SimulationCampaign.Run(new SimulationCampaignOptions { Seeds = 200 });
        Assert.True(result.IsClean, string.Join('\n', result.FailingSeeds));
    }

    private sealed class UserProfile
    {
        public int Id { get; init; }
    }

    private sealed class Order
    {
        public int Id { get; init; }

        public uint Version { get; init; }
    }
}
