using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure;
using Tidemark.Testing;

namespace Tidemark.EfSuite;

/// <summary>The trading house on a primary and two replicas, reached by plain EF Core and through Tidemark.</summary>
public sealed class NorthwindCluster : IAsyncLifetime
{
    private NpgsqlDataSource _plain = null!;

    public LocalCluster Cluster { get; private set; } = null!;

    public TidemarkDataSource Source { get; private set; } = null!;

    /// <summary>
    /// Its probes are too rare to vouch for a write made since, so that after one each read on a replica proves the position in its own round trip.
    /// </summary>
    public TidemarkDataSource Checking { get; private set; } = null!;

    /// <summary>A place that <see cref="Checking"/> does not know the replicas to have.</summary>
    public CausalToken Written { get; private set; } = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        Cluster = await LocalCluster.StartAsync(2, Stop);
        _plain = Plain(Cluster.Primary);
        await using (var context = CreatePlain())
        {
            await context.Database.EnsureCreatedAsync(Stop);
            await NorthwindRows.AddAsync(context, Stop);
        }

        await Cluster.WaitForReplayAsync(Stop);
        Source = await ConnectAsync(TimeSpan.FromMilliseconds(100));
        Checking = await ConnectAsync(TimeSpan.FromMinutes(1));
        using (Checking.BeginSession())
        {
            await using (var write = Checking.CreateCommand("CREATE TABLE written ()")) await write.ExecuteNonQueryAsync(Stop);
            Written = await Checking.CaptureTokenAsync(Stop);
        }

        await Cluster.WaitForReplayAsync(Stop);
    }

    public async ValueTask DisposeAsync()
    {
        await Source.DisposeAsync();
        await Checking.DisposeAsync();
        await _plain.DisposeAsync();
        await Cluster.DisposeAsync();
    }

    internal NorthwindContext CreatePlain(QueryTrackingBehavior tracking = QueryTrackingBehavior.TrackAll, params IInterceptor[] interceptors) =>
        Create(new DbContextOptionsBuilder<NorthwindContext>().UseNpgsql(_plain, Map), tracking, interceptors);

    internal static NorthwindContext CreateRouted(
        TidemarkDataSource source, QueryTrackingBehavior tracking = QueryTrackingBehavior.TrackAll, params IInterceptor[] interceptors) =>
        Create(new DbContextOptionsBuilder<NorthwindContext>().UseTidemark(source, Map), tracking, interceptors);

    private static NorthwindContext Create(DbContextOptionsBuilder<NorthwindContext> options, QueryTrackingBehavior tracking, IInterceptor[] interceptors) =>
        new(options.UseQueryTrackingBehavior(tracking).AddInterceptors(interceptors).Options);

    private static void Map(NpgsqlDbContextOptionsBuilder npgsql) => npgsql.MapEnum<Tier>("tier");

    private static NpgsqlDataSource Plain(LocalNode node)
    {
        var builder = new NpgsqlDataSourceBuilder(node.ConnectionString);
        builder.MapEnum<Tier>("tier");
        return builder.Build();
    }

    private async Task<TidemarkDataSource> ConnectAsync(TimeSpan probeInterval)
    {
        var builder = new TidemarkDataSourceBuilder();
        foreach (var node in Cluster.Nodes) builder.AddNode(node.Name, node.ConnectionString);
        builder.Options.ProbeInterval = probeInterval;
        builder.ConfigureNodes(node => node.MapEnum<Tier>("tier"));
        var source = builder.Build();
        await source.Cluster.Monitor.FirstRoundAsync(Stop);
        return source;
    }
}
