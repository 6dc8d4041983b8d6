using Dapper;
using Microsoft.EntityFrameworkCore;

namespace Tidemark;

/// <summary>Where reads and writes go on a healthy cluster, according to the servers' own statistics.</summary>
public sealed class RoutingTests(StoreCluster shared) : IClassFixture<StoreCluster>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Ten_thousand_reads_are_spread_evenly_by_the_servers_own_statistics()
    {
        const int Reads = 10_000;
        await using (var source = await shared.ConnectAsync())
        {
            await Parallel.ForAsync(0, Reads, new ParallelOptions { MaxDegreeOfParallelism = 2, CancellationToken = Stop },
                async (i, stop) =>
            {
                await using var context = shared.CreateContext(source);
                (await context.Items.AsNoTracking().Where(item => item.Id == (i % 10) + 1).ToListAsync(stop)).Count.ShouldBe(1);
            });
        }

        // Disposing closed the connections, so their servers have counted everything.
        var scans = new Dictionary<string, long>();
        foreach (var node in shared.Cluster.Nodes)
        {
            scans[node.Name] = await node.QueryAsync<long>(
                "SELECT coalesce(seq_scan, 0) + coalesce(idx_scan, 0) FROM pg_stat_user_tables WHERE relname = 'items'");
        }

        var onReplicas = scans["pg-2"] + scans["pg-3"];
        onReplicas.ShouldBeGreaterThanOrEqualTo((long)(Reads * 0.99));
        ((double)scans["pg-2"] / onReplicas).ShouldBeInRange(0.45, 0.55);
    }

    [Fact]
    public async Task Queries_without_tracking_read_from_replicas_and_all_others_from_the_primary()
    {
        await using var context = shared.CreateContext();
        var items = context.Items;

        (await items.AsNoTracking().Select(i => StoreContext.ServerPort()).FirstAsync(Stop)).ShouldBeOneOf(ReplicaPorts);
        (await items.Select(i => StoreContext.ServerPort()).FirstAsync(Stop)).ShouldBeOneOf(ReplicaPorts);
        items.Select(i => StoreContext.ServerPort()).First().ShouldBeOneOf(ReplicaPorts);
        (await items.Select(i => new { Port = StoreContext.ServerPort(), i.Name }).FirstAsync(Stop)).Port.ShouldBeOneOf(ReplicaPorts);
        (await items.Select(i => new { Port = StoreContext.ServerPort(), i }).FirstAsync(Stop)).Port.ShouldBe(PrimaryPort);
        (await items.AsNoTracking().Select(i => new { Port = StoreContext.ServerPort(), i }).FirstAsync(Stop))
            .Port.ShouldBeOneOf(ReplicaPorts);
        (await items.FromSqlRaw("SELECT * FROM items").Select(i => StoreContext.ServerPort()).FirstAsync(Stop)).ShouldBe(PrimaryPort);
        (await context.Database.SqlQueryRaw<int>("SELECT inet_server_port() AS \"Value\"").SingleAsync(Stop)).ShouldBe(PrimaryPort);
    }

    [Fact]
    public async Task A_query_names_its_consistency_or_its_node()
    {
        await using var context = shared.CreateContext();
        var ports = context.Items.Select(i => StoreContext.ServerPort());

        (await ports.WithConsistency(Consistency.Strong).FirstAsync(Stop)).ShouldBe(PrimaryPort);
        foreach (var node in shared.Cluster.Nodes)
        {
            (await ports.OnNode(node.Name).FirstAsync(Stop)).ShouldBe(node.Port);
            ports.OnNode(node.Name).First().ShouldBe(node.Port);
        }

        using (shared.Source.Require(Consistency.Strong))
            (await ports.FirstAsync(Stop)).ShouldBe(PrimaryPort);
        using (shared.Source.RequireNode("pg-3"))
            (await ports.FirstAsync(Stop)).ShouldBe(shared.Cluster["pg-3"].Port);
    }

    [Fact]
    public async Task Everything_in_a_transaction_runs_on_the_primary()
    {
        await using var context = shared.CreateContext();
        await using (await context.Database.BeginTransactionAsync(Stop))
            (await context.Items.Select(i => StoreContext.ServerPort()).FirstAsync(Stop)).ShouldBe(PrimaryPort);
        await context.Database.OpenConnectionAsync(Stop);
        (await context.Items.Select(i => StoreContext.ServerPort()).FirstAsync(Stop)).ShouldBe(PrimaryPort);
        await context.Database.CloseConnectionAsync();
        (await context.Items.Select(i => StoreContext.ServerPort()).FirstAsync(Stop)).ShouldBeOneOf(ReplicaPorts);
    }

    [Fact]
    public async Task The_tags_that_carry_a_route_do_not_reach_the_server()
    {
        await using var context = shared.CreateContext();
        var query = context.Items.TagWith("mine").WithConsistency(Consistency.Strong).Where(i => i.Id == 1);
        query.ToQueryString().ShouldContain("-- mine");

        await query.ToListAsync(Stop);
        var sent = await context.Database.SqlQueryRaw<string>("SELECT pg_stat_get_backend_activity(1) AS \"Value\"").ToListAsync(Stop);
        sent.ShouldNotBeEmpty();
        query.ToQueryString().ShouldNotContain("tidemark");
    }

    [Fact]
    public async Task Plain_commands_go_to_the_primary_and_read_commands_to_a_replica()
    {
        await using (var plain = await shared.Source.OpenConnectionAsync(Stop))
            (await plain.ExecuteScalarAsync<int>("SELECT inet_server_port()")).ShouldBe(PrimaryPort);
        await using (var write = await shared.Source.OpenWriteConnectionAsync(Stop))
            (await write.ExecuteScalarAsync<int>("SELECT inet_server_port()")).ShouldBe(PrimaryPort);
        await using (var read = await shared.Source.OpenReadConnectionAsync(cancellationToken: Stop))
            (await read.ExecuteScalarAsync<int>("SELECT inet_server_port()")).ShouldBeOneOf(ReplicaPorts);
        await using (var strong = await shared.Source.OpenReadConnectionAsync(Consistency.Strong, Stop))
            (await strong.ExecuteScalarAsync<int>("SELECT inet_server_port()")).ShouldBe(PrimaryPort);
        await using (var closed = shared.Source.CreateConnection())
            closed.ExecuteScalar<int>("SELECT inet_server_port()").ShouldBe(PrimaryPort);

        await using (var command = shared.Source.CreateCommand("SELECT inet_server_port()"))
            (await command.ExecuteScalarAsync(Stop)).ShouldBe(PrimaryPort);
        await using (var command = shared.Source.CreateReadCommand("SELECT inet_server_port()"))
        {
            ((int)(await command.ExecuteScalarAsync(Stop))!).ShouldBeOneOf(ReplicaPorts);
            ((int)command.ExecuteScalar()!).ShouldBeOneOf(ReplicaPorts);
        }
    }

    [Fact]
    public async Task A_read_that_writes_is_retried_on_the_primary_and_is_a_write_of_the_session()
    {
        using var session = shared.Source.BeginSession();
        await using var command = shared.Source.CreateReadCommand("SELECT nextval('tickets'), inet_server_port()");
        await using (var reader = await command.ExecuteReaderAsync(Stop))
        {
            (await reader.ReadAsync(Stop)).ShouldBeTrue();
            reader.GetInt32(1).ShouldBe(PrimaryPort);
        }

        session.HasMoved.ShouldBeTrue();
    }

    [Fact]
    public async Task An_EF_query_that_writes_is_retried_on_the_primary()
    {
        await shared.Cluster.Primary.RunAsync(
            "CREATE OR REPLACE FUNCTION draw(i int) RETURNS bigint LANGUAGE sql AS $$ SELECT nextval('tickets') $$");
        await shared.Cluster.WaitForReplayAsync(Stop);
        var before = await shared.Cluster.Primary.QueryAsync<long>("SELECT nextval('tickets')");

        await using var drawing = new DrawingContext(new DbContextOptionsBuilder<DrawingContext>().UseTidemark(shared.Source).Options);
        (await drawing.Items.Where(i => i.Id == 1).Select(i => DrawingContext.Draw(i.Id)).SingleAsync(Stop)).ShouldBe(before + 1);
        drawing.Items.Where(i => i.Id == 1).Select(i => DrawingContext.Draw(i.Id)).Single().ShouldBe(before + 2);
    }

    [Fact]
    public void Explain_names_the_node_and_the_reason_why_others_were_not_chosen()
    {
        var decision = shared.Source.Explain(Consistency.Strong);
        decision.Node.ShouldBe("pg-1");
        decision.Reason.ShouldBe(RouteReason.StrongConsistency);
        decision.Rejected.Select(r => (r.Node, r.Reason))
            .ShouldBe([("pg-2", RejectionReason.IsReplica), ("pg-3", RejectionReason.IsReplica)]);
        shared.Source.Explain(Consistency.Eventual).Role.ShouldBe(NodeRole.Replica);
    }

    [Fact]
    public async Task A_lone_node_serves_reads_and_writes_from_one_pool()
    {
        var builder = new TidemarkDataSourceBuilder().AddNode("pg-1", shared.Cluster.Primary.ConnectionString);
        await using var source = builder.Build();
        await using var write = source.CreateCommand("SELECT pg_backend_pid()");
        await using var read = source.CreateReadCommand("SELECT pg_backend_pid()");
        (await read.ExecuteScalarAsync(Stop)).ShouldBe(await write.ExecuteScalarAsync(Stop));
        source.Explain().ToString().ShouldBe("pg-1 (primary): no replica can serve this read");
    }

    [Fact]
    public async Task One_string_with_several_hosts_is_a_cluster()
    {
        var nodes = shared.Cluster.Nodes;
        var hosts = string.Join(',', nodes.Select(n => $"127.0.0.1:{n.Port}"));
        await using var source = TidemarkDataSource.Create($"postgres://postgres@{hosts}/store");
        await using var read = source.CreateReadCommand("SELECT inet_server_port()");
        ((int)(await read.ExecuteScalarAsync(Stop))!).ShouldBeOneOf(ReplicaPorts);
        source.Nodes.Select(n => n.Role).ShouldBe([NodeRole.Primary, NodeRole.Replica, NodeRole.Replica]);
    }

    private int PrimaryPort => shared.Cluster.Primary.Port;

    private int[] ReplicaPorts => [.. shared.Cluster.Replicas.Select(r => r.Port)];

    private sealed class DrawingContext(DbContextOptions<DrawingContext> options) : DbContext(options)
    {
        public DbSet<Item> Items => Set<Item>();

        public static long Draw(int id) => throw new NotSupportedException($"Runs in the database only ({id}).");

        protected override void OnModelCreating(ModelBuilder modelBuilder)
        {
            modelBuilder.Entity<Item>(item =>
            {
                item.ToTable("items");
                item.Property(i => i.Id).HasColumnName("id");
                item.Property(i => i.Name).HasColumnName("name");
            });
            modelBuilder.HasDbFunction(() => Draw(0)).HasName("draw");
        }
    }
}
