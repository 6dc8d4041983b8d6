using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure;
using Tidemark.Testing;

namespace Tidemark.EfSuite;

/// <summary>The trading house on a primary and two replicas, accessed by plain EF Core and through Tidemark.</summary>
public sealed class NorthwindCluster : IAsyncLifetime
{
    private NpgsqlDataSource _plain = null!;

    public LocalCluster Cluster { get; private set; } = null!;

    public TidemarkDataSource Source { get; private set; } = null!;

    /// <summary>
    /// A data source that opens a connection for each command. A probe does not verify a connection that is newer than the probe. After a
    /// write, each read on a replica therefore proves the WAL position in its own round trip.
    /// </summary>
    public TidemarkDataSource Checking { get; private set; } = null!;

    /// <summary>A data source whose tracking queries read from replicas as well.</summary>
    public TidemarkDataSource Tracking { get; private set; } = null!;

    /// <summary>The token with which the sessions of <see cref="Checking"/> begin, taken after a write.</summary>
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
        Source = await ConnectAsync("");
        Checking = await ConnectAsync(";Pooling=false");
        Tracking = await ConnectAsync("", TrackedQueries.FromReplicas);
        using (Checking.BeginSession())
        {
            await using (var write = Checking.CreateCommand("CREATE TABLE written ()")) await write.ExecuteNonQueryAsync(Stop);
            Written = await Checking.CaptureTokenAsync(Stop);
        }

        await Cluster.WaitForReplayAsync(Stop);
        for (var i = 0; i < Cluster.Nodes.Count; i++) await Checking.Cluster.Monitor.SampleAsync(i, Stop);
    }

    public async ValueTask DisposeAsync()
    {
        await Source.DisposeAsync();
        await Checking.DisposeAsync();
        await Tracking.DisposeAsync();
        await _plain.DisposeAsync();
        await Cluster.DisposeAsync();
    }

    internal NorthwindContext CreatePlain(QueryTrackingBehavior tracking = QueryTrackingBehavior.TrackAll,
        params IInterceptor[] interceptors) =>
        Create(new DbContextOptionsBuilder<NorthwindContext>().UseNpgsql(_plain, Map), tracking, interceptors);

    internal static NorthwindContext CreateRouted(
        TidemarkDataSource source, QueryTrackingBehavior tracking = QueryTrackingBehavior.TrackAll, params IInterceptor[] interceptors) =>
        Create(new DbContextOptionsBuilder<NorthwindContext>().UseTidemark(source, Map), tracking, interceptors);

    private static NorthwindContext Create(DbContextOptionsBuilder<NorthwindContext> options, QueryTrackingBehavior tracking,
        IInterceptor[] interceptors) =>
        new(options.UseQueryTrackingBehavior(tracking).AddInterceptors(interceptors).Options);

    private static void Map(NpgsqlDbContextOptionsBuilder npgsql) => npgsql.MapEnum<Tier>("tier");

    private static NpgsqlDataSource Plain(LocalNode node)
    {
        var builder = new NpgsqlDataSourceBuilder(node.ConnectionString);
        builder.MapEnum<Tier>("tier");
        return builder.Build();
    }

    private async Task<TidemarkDataSource> ConnectAsync(string keywords, TrackedQueries tracked = TrackedQueries.FromPrimary)
    {
        var builder = new TidemarkDataSourceBuilder();
        foreach (var node in Cluster.Nodes) builder.AddNode(node.Name, node.ConnectionString + keywords);
        builder.ConfigureNodes(node => node.MapEnum<Tier>("tier"));
        builder.Options.TrackedQueries = tracked;
        var source = builder.Build();
        await source.Cluster.Monitor.FirstRoundAsync(Stop);
        return source;
    }
}
