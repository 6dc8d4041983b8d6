using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Tidemark;

/// <summary>
/// Positions cost no additional round trip. Round trips are counted on the wire and compared with the same code on plain Npgsql.
/// </summary>
public sealed class RoundTripTests(StoreCluster shared) : IClassFixture<StoreCluster>, IAsyncLifetime
{
    private readonly List<Relay> _relays = [];
    private TidemarkDataSource _source = null!;
    private NpgsqlDataSource _plain = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        var builder = new TidemarkDataSourceBuilder();
        foreach (var node in shared.Cluster.Nodes)
        {
            _relays.Add(new Relay(node.Port));
            builder.AddNode(node.Name, Through(_relays[^1], node.ConnectionString));
        }

        _source = builder.Build();
        _plain = NpgsqlDataSource.Create(Through(_relays[0], shared.Cluster.Primary.ConnectionString));
        await _source.Cluster.Monitor.FirstRoundAsync(Stop);

        // Connections to every node are open, have their types loaded, and are older than a probe.
        foreach (var node in shared.Cluster.Nodes)
        {
            using (_source.RequireNode(node.Name))
            {
                await using var context = Routed();
                await context.Items.AsNoTracking().CountAsync(Stop);
            }
        }

        for (var index = 0; index < shared.Cluster.Nodes.Count; index++) await _source.Cluster.Monitor.SampleAsync(index, Stop);
    }

    public async ValueTask DisposeAsync()
    {
        await _source.DisposeAsync();
        await _plain.DisposeAsync();
        foreach (var relay in _relays) await relay.DisposeAsync();
    }

    [Fact]
    public async Task A_saved_entity_costs_one_round_trip_and_is_followed_by_a_read_of_one()
    {
        async Task SaveAsync(StoreContext context)
        {
            context.Add(new Item { Name = "one" });
            await context.SaveChangesAsync(Stop);
        }

        (await CountAsync(Plain, SaveAsync)).ShouldBe(1);
        (await CountAsync(Routed, SaveAsync)).ShouldBe(1);

        using var session = _source.BeginSession();
        var operations = await CountAsync(Routed, async context =>
        {
            await SaveAsync(context);
            session.Written.ShouldNotBeNull("the position was piggybacked");
            await shared.Cluster.WaitForReplayAsync(Stop);
            await context.Items.AsNoTracking().CountAsync(Stop);
        });
        session.Written.ShouldNotBeNull();
        operations.ShouldBe(2);
    }

    [Fact]
    public async Task A_transaction_of_two_statements_costs_three_round_trips_with_its_position()
    {
        async Task TransactAsync(StoreContext context)
        {
            await using var transaction = await context.Database.BeginTransactionAsync(Stop);
            await context.Database.ExecuteSqlAsync($"INSERT INTO items (name) VALUES ('first')", Stop);
            await context.Database.ExecuteSqlAsync($"INSERT INTO items (name) VALUES ('second')", Stop);
            await transaction.CommitAsync(Stop);
        }

        (await CountAsync(Plain, TransactAsync)).ShouldBe(3);
        using var session = _source.BeginSession();
        (await CountAsync(Routed, TransactAsync)).ShouldBe(3);
        session.Written.ShouldNotBeNull();
    }

    [Fact]
    public async Task Several_entities_saved_at_once_cost_as_many_round_trips_as_without_Tidemark()
    {
        async Task SaveAsync(StoreContext context)
        {
            context.AddRange(new Item { Name = "a" }, new Item { Name = "b" }, new Item { Name = "c" });
            await context.SaveChangesAsync(Stop);
        }

        using var session = _source.BeginSession();
        (await CountAsync(Routed, SaveAsync)).ShouldBe(await CountAsync(Plain, SaveAsync));
        session.Written.ShouldNotBeNull();
    }

    [Fact]
    public async Task A_statement_that_commits_by_itself_costs_one_round_trip_with_its_position()
    {
        using var session = _source.BeginSession();
        foreach (var sync in (bool[])[false, true])
        {
            (await CountAsync(Routed, async context => _ = sync
                ? context.Database.ExecuteSql($"UPDATE items SET name = name WHERE id = 1")
                : await context.Database.ExecuteSqlAsync($"UPDATE items SET name = name WHERE id = 1", Stop))).ShouldBe(1);
            (await CountAsync(Routed, async context => _ = sync
                ? context.Items.Where(i => i.Id == 1).ExecuteUpdate(u => u.SetProperty(i => i.Name, i => i.Name))
                : await context.Items.Where(i => i.Id == 1).ExecuteUpdateAsync(u => u.SetProperty(i => i.Name, i => i.Name), Stop)))
                    .ShouldBe(1);
            (await CountAsync(Routed, async _ =>
            {
                await using var command = _source.CreateCommand("UPDATE items SET name = name WHERE id = 1");
                (sync ? command.ExecuteNonQuery() : await command.ExecuteNonQueryAsync(Stop)).ShouldBe(1);
            })).ShouldBe(1);
            (await CountAsync(Routed, async _ =>
            {
                await using var command = _source.CreateCommand("UPDATE items SET name = name WHERE id = 1 RETURNING id");
                (sync ? command.ExecuteScalar() : await command.ExecuteScalarAsync(Stop)).ShouldBe(1);
            })).ShouldBe(1);
            session.Written.ShouldNotBeNull();
        }
    }

    [Fact]
    public async Task A_read_costs_one_round_trip_even_if_the_replica_is_verified()
    {
        (await CountAsync(Routed, context => context.Items.AsNoTracking().CountAsync(Stop))).ShouldBe(1);

        // Right after the write the last probes are older than the write, so the replica proves the position in the same round trip as the
        // read.
        using var session = _source.BeginSession();
        await using (var command =
            _source.CreateCommand("UPDATE items SET name = name WHERE id = 1")) await command.ExecuteNonQueryAsync(Stop);
        await shared.Cluster.WaitForReplayAsync(Stop);
        await using var context = Routed();
        var before = Operations;
        var port = await context.Items.Select(i => StoreContext.ServerPort()).FirstAsync(Stop);
        (Operations - before).ShouldBe(1);
        shared.Cluster.Replicas.Select(r => r.Port).ShouldContain(port);
    }

    private int Operations => _relays.Sum(r => r.RoundTrips);

    private static string Through(Relay relay, string connectionString) =>
        new NpgsqlConnectionStringBuilder(connectionString) { Port = relay.Port }.ConnectionString;

    private StoreContext Routed() => shared.CreateContext(_source);

    private StoreContext Plain() => new(new DbContextOptionsBuilder<StoreContext>().UseNpgsql(_plain).Options);

    /// <summary>Returns the round trips of the second run: the first run opens connections and loads types.</summary>
    private async Task<int> CountAsync(Func<StoreContext> create, Func<StoreContext, Task> run)
    {
        await using (var context = create()) await run(context);
        await using var counted = create();
        var before = Operations;
        await run(counted);
        return Operations - before;
    }
}
