using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Tidemark.EfSuite;

/// <summary>Database types that are created while connections to the replicas are already open.</summary>
public sealed class TypeTests(JournalCluster shared) : IClassFixture<JournalCluster>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public Task An_enum_that_EnsureCreated_makes_is_read_on_every_node(bool sync) => ReadAsync(
        sync ? "typed_sync" : "typed", sync, buffers: false, db => db.Notes.AsNoTracking().Select(n => n.Mood));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public Task Such_an_enum_is_read_on_every_node_by_a_retrying_strategy_too(bool sync) => ReadAsync(
        sync ? "typed_buffered_sync" : "typed_buffered", sync, buffers: true, db => db.Notes.AsNoTracking().Select(n => n.Mood));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public Task Such_an_enum_is_a_parameter_on_every_node(bool sync)
    {
        var mood = Mood.Cross;
        return ReadAsync(sync
            ? "typed_asked_sync"
            : "typed_asked", sync, buffers: false, db => db.Notes.AsNoTracking().Where(n => n.Mood == mood).Select(n => Mood.Cross));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public Task A_report_reads_an_enum_that_no_query_has_used_before_in_its_snapshot(bool sync) => ReadAsync(
        sync ? "typed_report_sync"
            : "typed_report", sync, buffers: false, db => db.Notes.AsNoTracking().Select(n => n.Mood), isReport: true);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public Task Such_an_enum_is_a_parameter_in_a_report(bool sync)
    {
        var mood = Mood.Cross;
        return ReadAsync(
            sync ? "typed_report_asked_sync"
                : "typed_report_asked", sync, buffers: false, db => db.Notes.AsNoTracking().Where(n => n.Mood == mood).Select(n => n.Mood),
                isReport: true);
    }

    private async Task ReadAsync(string database, bool sync, bool buffers, Func<JournalContext, IQueryable<Mood>> query,
        bool isReport = false)
    {
        await shared.Cluster.Primary.RunAsync($"CREATE DATABASE {database}");
        await shared.Cluster.WaitForReplayAsync(Stop);
        var builder = new TidemarkDataSourceBuilder();
        foreach (var node in shared.Cluster.Nodes)
            builder.AddNode(node.Name, new NpgsqlConnectionStringBuilder(node.ConnectionString) { Database = database }.ConnectionString);
        builder.ConfigureNodes(node => node.MapEnum<Mood>("mood"));
        await using var source = builder.Build();
        foreach (var node in shared.Cluster.Nodes)
        {
            using (source.RequireNode(node.Name)) await source.ReadAsync<int>("1");
        }

        void Configure(Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure.NpgsqlDbContextOptionsBuilder npgsql)
        {
            if (buffers) npgsql.EnableRetryOnFailure(0);
        }

        await using var context = new JournalContext(
            new DbContextOptionsBuilder<JournalContext>().UseTidemark(source, n => Configure(n.MapEnum<Mood>("mood"))).Options);
        (sync ? context.Database.EnsureCreated() : await context.Database.EnsureCreatedAsync(Stop)).ShouldBeTrue();
        context.Add(new Note { Text = "typed", Mood = Mood.Cross });
        await context.SaveChangesAsync(Stop);

        // A read that names its node never moves, and a synchronous read does not wait for the node.
        await shared.Cluster.WaitForReplayAsync(Stop);
        await Task.WhenAll(source.Nodes.Select((_, index) => source.Cluster.Monitor.SampleAsync(index, Stop)));
        await shared.Cluster.WaitForReplayAsync(Stop);
        foreach (var node in shared.Cluster.Nodes)
        {
            if (isReport)
            {
                await ReadInReportAsync(source, context, node.Name, query(context), sync);
                continue;
            }

            var moods = query(context).OnNode(node.Name);
            (sync ? moods.Single() : await moods.SingleAsync(Stop)).ShouldBe(Mood.Cross, node.Name);
        }
    }

    private static async Task ReadInReportAsync(TidemarkDataSource source, JournalContext context, string node, IQueryable<Mood> moods,
        bool sync)
    {
        using var there = source.RequireNode(node);
        await using (sync
            ? context.Database.BeginReadOnlyTransaction() : await context.Database.BeginReadOnlyTransactionAsync(cancellationToken: Stop))
        {
            (sync ? moods.Single() : await moods.SingleAsync(Stop)).ShouldBe(Mood.Cross, node);

            // The transaction stays usable, and its later queries resolve the type.
            (await context.Notes.CountAsync(Stop)).ShouldBe(1);
            (sync ? moods.Single() : await moods.SingleAsync(Stop)).ShouldBe(Mood.Cross, node);
        }
    }
}
