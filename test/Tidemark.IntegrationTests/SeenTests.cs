using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>What a session has been shown, on whichever node and in whatever form, it never unsees.</summary>
public sealed class SeenTests(StoreCluster shared) : SightsOf, IClassFixture<StoreCluster>, IAsyncLifetime
{
    protected override StoreCluster Store => shared;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        foreach (var replica in Cluster.Replicas) await replica.ResumeReplayAsync(CancellationToken.None);
        await Cluster.WaitForReplayAsync(CancellationToken.None);
    }

    [Theory]
    [InlineData("a strong command")]
    [InlineData("a strong connection")]
    [InlineData("a write connection")]
    [InlineData("a command for writing")]
    [InlineData("a tracking query")]
    [InlineData("a strong query")]
    [InlineData("a query in a transaction")]
    [InlineData("raw SQL")]
    public async Task What_was_seen_on_the_primary_is_not_followed_by_less_from_a_replica(string by)
    {
        var id = await Cluster.MakeItemAsync("v4");
        foreach (var replica in Cluster.Replicas) await replica.PauseReplayAsync(Stop);
        await Cluster.Primary.RunAsync($"UPDATE items SET name = 'v5' WHERE id = {id}");
        foreach (var level in (Consistency[])[Consistency.Session, Consistency.MonotonicReads])
        {
            using var session = Source.BeginSession();
            (await ReadOnPrimaryAsync(by, id)).ShouldBe("v5");
            (await NameAsync(id, level)).ShouldBe("v5", level.ToString());
            await using var context = Store.CreateContext();
            (await context.Items.WithConsistency(level).Where(i => i.Id == id).Select(i => i.Name).SingleAsync(Stop)).ShouldBe("v5", level.ToString());
        }

        // The pause is real: outside the session a replica serves, and shows less.
        (await NameAsync(id, Consistency.Session)).ShouldBe("v4");

        // Once a replica has it, it may serve.
        using var later = Source.BeginSession();
        (await ReadOnPrimaryAsync(by, id)).ShouldBe("v5");
        foreach (var replica in Cluster.Replicas) await replica.ResumeReplayAsync(Stop);
        await Source.UntilReadOnReplicaAsync(Cluster);
        (await NameAsync(id, Consistency.Session)).ShouldBe("v5");
    }

    [Theory]
    [InlineData("a command", "Session")]
    [InlineData("a command", "MonotonicReads")]
    [InlineData("a write connection", "MonotonicReads")]
    [InlineData("SaveChanges", "Session")]
    [InlineData("SaveChanges", "MonotonicReads")]
    [InlineData("SaveChanges in a transaction", "MonotonicReads")]
    [InlineData("ExecuteSql", "MonotonicReads")]
    public async Task Get_or_create_finds_what_another_user_made_in_its_second_round(string by, string level)
    {
        await Cluster.Primary.RunAsync("CREATE UNIQUE INDEX IF NOT EXISTS unique_names ON items (name) WHERE name LIKE 'unique, %'");
        await Cluster.WaitForReplayAsync(Stop);
        foreach (var replica in Cluster.Replicas) await replica.PauseReplayAsync(Stop);
        var name = $"unique, {by}, {level}";
        await Cluster.Primary.RunAsync($"INSERT INTO items (name) VALUES ('{name}')");

        using var session = Source.BeginSession();
        using var asked = Source.Require(Consistency.Parse(level));
        (await CountAsync(name)).ShouldBe(0);
        (await Should.ThrowAsync<Exception>(() => InsertAsync(by, name))).GetBaseException()
            .ShouldBeOfType<PostgresException>().SqlState.ShouldBe(PostgresErrorCodes.UniqueViolation);
        (await CountAsync(name)).ShouldBe(1);
    }

    [Fact]
    public async Task The_reads_of_a_session_keep_to_one_replica()
    {
        for (var round = 0; round < 5; round++)
        {
            using var session = Source.BeginSession();
            var ports = new HashSet<int>();
            for (var i = 0; i < 20; i++) ports.Add((await Source.ReadAsync<int>("1")).Port);
            ports.Count.ShouldBe(1);
            ports.ShouldNotContain(Cluster.Primary.Port);
        }
    }
}

/// <summary>The same while servers and connections fail; each test breaks a cluster of its own.</summary>
public sealed class SeenThroughFailuresTests : SightsOf, IAsyncLifetime
{
    private readonly StoreCluster _own = new();

    protected override StoreCluster Store => _own;

    public ValueTask InitializeAsync() => _own.InitializeAsync();

    public ValueTask DisposeAsync() => _own.DisposeAsync();

    [Theory]
    [InlineData("commands")]
    [InlineData("EF")]
    public async Task When_the_replica_of_a_session_dies_its_next_read_does_not_go_back(string by)
    {
        var id = await SeeOnReplicaAsync();
        using var session = Source.BeginSession();
        using (Source.RequireNode("pg-2")) (await NameAsync(id)).ShouldBe("v5");
        await Cluster["pg-2"].KillAsync(Stop);

        for (var i = 0; i < 20; i++)
        {
            await using var context = Store.CreateContext();
            var name = by == "EF" ? await context.Items.Where(item => item.Id == id).Select(item => item.Name).SingleAsync(Stop) : await NameAsync(id);
            name.ShouldBe("v5");
        }
    }

    [Fact]
    public async Task When_replica_and_primary_die_the_next_read_fails_rather_than_go_back()
    {
        var id = await SeeOnReplicaAsync();
        using var session = Source.BeginSession();
        using (Source.RequireNode("pg-2")) (await NameAsync(id)).ShouldBe("v5");
        await Cluster.Primary.KillAsync(Stop);
        await Cluster["pg-2"].KillAsync(Stop);

        for (var i = 0; i < 20; i++) await Should.ThrowAsync<RoutingException>(() => NameAsync(id));
        (await NameAsync(id, Consistency.Eventual)).ShouldBe("v4");
    }

    [Theory]
    [InlineData("a command")]
    [InlineData("a write connection")]
    [InlineData("SaveChanges")]
    [InlineData("SaveChanges in a transaction")]
    public async Task A_commit_whose_connection_broke_is_read_back_and_its_session_goes_on_once_the_server_process_is_gone(string by)
    {
        // The commit waits for a replica that is paused: it is made, nobody else sees it, and its connection ends.
        foreach (var replica in Cluster.Replicas) await replica.PauseReplayAsync(Stop);
        await Cluster.Primary.RunAsync("ALTER DATABASE store SET synchronous_commit = remote_apply");
        using var session = Source.BeginSession();
        var commit = Should.ThrowAsync<Exception>(() => InsertAsync(by, "in doubt"));
        await Cluster.Primary.UntilAsync<long>("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND backend_type = 'client backend'", n => n == 1);
        await Cluster.Primary.RunAsync("SET synchronous_commit = local; ALTER DATABASE store RESET synchronous_commit");
        var backend = await Cluster.Primary.AskAsync<int>("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
        await Cluster.Primary.RunAsync($"SELECT pg_terminate_backend({backend})");
        await commit;

        await StoreCluster.UntilAsync(Source, nodes => nodes.Primary == "pg-1");
        session.IsUnknown.ShouldBeTrue();
        foreach (var replica in Cluster.Replicas) await replica.ResumeReplayAsync(Stop);
        await Cluster.WaitForReplayAsync(Stop);

        for (var i = 0; i < 20; i++) (await Source.ReadAsync<long>("SELECT count(*) FROM items WHERE name = 'in doubt'")).Value.ShouldBe(1);
        session.IsUnknown.ShouldBeFalse();
        await Source.UntilReadOnReplicaAsync(Cluster);
    }

    /// <summary>A row whose latest version only the primary and pg-2 have.</summary>
    private async Task<int> SeeOnReplicaAsync()
    {
        var id = await Cluster.MakeItemAsync("v4");
        await Cluster["pg-3"].PauseReplayAsync(Stop);
        await Cluster.Primary.RunAsync($"UPDATE items SET name = 'v5' WHERE id = {id}");
        await Cluster.WaitForReplayAsync(Stop);
        return id;
    }
}

/// <summary>How these tests read and write.</summary>
public abstract class SightsOf
{
    protected abstract StoreCluster Store { get; }

    protected LocalCluster Cluster => Store.Cluster;

    protected TidemarkDataSource Source => Store.Source;

    protected static CancellationToken Stop => TestContext.Current.CancellationToken;

    protected async Task<string?> NameAsync(int id, Consistency? level = null) =>
        (await Source.ReadAsync<string>($"SELECT name FROM items WHERE id = {id}", level)).Value;

    protected async Task<long> CountAsync(string name) => (await Source.ReadAsync<long>($"SELECT count(*) FROM items WHERE name = '{name}'")).Value;

    protected async Task<string> ReadOnPrimaryAsync(string by, int id)
    {
        var sql = $"SELECT name FROM items WHERE id = {id}";
        await using var context = Store.CreateContext();
        switch (by)
        {
            case "a strong command":
                return (await NameAsync(id, Consistency.Strong))!;
            case "a strong connection":
                await using (var connection = await Source.OpenReadConnectionAsync(Consistency.Strong, Stop))
                    return await ScalarAsync(connection, sql);
            case "a write connection":
                await using (var connection = await Source.OpenWriteConnectionAsync(Stop))
                    return await ScalarAsync(connection, sql);
            case "a command for writing":
                await using (var command = Source.CreateCommand(sql))
                    return (string)(await command.ExecuteScalarAsync(Stop))!;
            case "a tracking query":
                return (await context.Items.SingleAsync(i => i.Id == id, Stop)).Name;
            case "a strong query":
                return await context.Items.WithConsistency(Consistency.Strong).Where(i => i.Id == id).Select(i => i.Name).SingleAsync(Stop);
            case "a query in a transaction":
                await using (var transaction = await context.Database.BeginTransactionAsync(Stop))
                {
                    var name = await context.Items.Where(i => i.Id == id).Select(i => i.Name).SingleAsync(Stop);
                    await transaction.RollbackAsync(Stop);
                    return name;
                }

            default:
                return (await context.Database.SqlQuery<string>($"SELECT name AS \"Value\" FROM items WHERE id = {id}").ToListAsync(Stop)).Single();
        }
    }

    protected static async Task<string> ScalarAsync(DbConnection connection, string sql)
    {
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        return (string)(await command.ExecuteScalarAsync(Stop))!;
    }

    protected async Task InsertAsync(string by, string name)
    {
        var sql = $"INSERT INTO items (name) VALUES ('{name}')";
        await using var context = Store.CreateContext();
        switch (by)
        {
            case "a command":
                await Source.WriteAsync(sql);
                break;
            case "a write connection":
                await using (var connection = await Source.OpenWriteConnectionAsync(Stop))
                await using (var command = new NpgsqlCommand(sql, connection))
                    await command.ExecuteNonQueryAsync(Stop);
                break;
            case "ExecuteSql":
                await context.Database.ExecuteSqlAsync($"INSERT INTO items (name) VALUES ({name})", Stop);
                break;
            default:
                await using (var transaction = by == "SaveChanges" ? null : await context.Database.BeginTransactionAsync(Stop))
                {
                    context.Add(new Item { Name = name });
                    await context.SaveChangesAsync(Stop);
                    if (transaction is not null) await transaction.CommitAsync(Stop);
                }

                break;
        }
    }
}
