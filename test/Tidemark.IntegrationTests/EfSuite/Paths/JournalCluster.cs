using System.Text.RegularExpressions;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure;
using Tidemark.Testing;

namespace Tidemark.EfSuite;

/// <summary>A journal on a cluster, accessed by plain EF Core and through Tidemark.</summary>
public class JournalCluster : IAsyncLifetime
{
    private NpgsqlDataSource _plain = null!;

    public LocalCluster Cluster { get; private set; } = null!;

    public TidemarkDataSource Source { get; private set; } = null!;

    /// <summary>The node that plain EF Core uses.</summary>
    public LocalNode PlainNode { get; protected set; } = null!;

    protected virtual int Replicas => 2;

    protected static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        Cluster = await LocalCluster.StartAsync(Replicas, Stop);
        PlainNode = Cluster.Primary;
        _plain = Build(PlainNode);
        await using (var context = new JournalContext(PlainOptions(new Sent(), null)))
        {
            await context.Database.EnsureCreatedAsync(Stop);
            await context.Database.ExecuteSqlRawAsync(JournalContext.View, Stop);
        }

        await FillAsync();
        var builder = new TidemarkDataSourceBuilder();
        foreach (var node in Cluster.Nodes) builder.AddNode(node.Name, node.ConnectionString);
        builder.ConfigureNodes(node => node.MapEnum<Mood>("mood"));
        Source = builder.Build();
        await Source.Cluster.Monitor.FirstRoundAsync(Stop);
        await BreakAsync();
        if (PlainNode == Cluster.Primary && Cluster.Primary.IsRunning) return;
        await _plain.DisposeAsync();
        _plain = Build(PlainNode);
    }

    public async ValueTask DisposeAsync()
    {
        await Source.DisposeAsync();
        await _plain.DisposeAsync();
        await Cluster.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>Resets the journal on every node that is running.</summary>
    public async Task FillAsync()
    {
        if (!Cluster.Primary.IsRunning) return;
        await Cluster.Primary.RunAsync(JournalContext.Fill);
        foreach (var replica in Cluster.Replicas.Where(r => r.IsRunning)) await replica.WaitForReplayAsync(Stop);
    }

    internal DbContextOptions<JournalContext> PlainOptions(Sent sent, Action<DbContextOptionsBuilder>? configure) =>
        Finish(new DbContextOptionsBuilder<JournalContext>().UseNpgsql(_plain, Map), sent, configure);

    internal DbContextOptions<JournalContext> RoutedOptions(Sent sent, Action<DbContextOptionsBuilder>? configure) =>
        Finish(new DbContextOptionsBuilder<JournalContext>().UseTidemark(Source, Map), sent, configure);

    /// <summary>
    /// Returns the nodes of the commands in order: P for the primary, R for a replica. Consecutive commands on the same node count once.
    /// </summary>
    internal string NodesOf(Sent sent) =>
        Regex.Replace(string.Concat(sent.Ports.Select(port => port == Cluster.Primary.Port ? 'P' : 'R')), "(.)\\1+", "$1");

    /// <summary>Puts the cluster into the state in which the tests run.</summary>
    protected virtual Task BreakAsync() => Task.CompletedTask;

    private static DbContextOptions<JournalContext> Finish(
        DbContextOptionsBuilder<JournalContext> options, Sent sent, Action<DbContextOptionsBuilder>? configure)
    {
        options.AddInterceptors(sent);
        configure?.Invoke(options);
        return options.Options;
    }

    private static void Map(NpgsqlDbContextOptionsBuilder npgsql) => npgsql.MapEnum<Mood>("mood");

    private static NpgsqlDataSource Build(LocalNode node)
    {
        var builder = new NpgsqlDataSourceBuilder(node.ConnectionString);
        builder.MapEnum<Mood>("mood");
        return builder.Build();
    }
}
