using Dapper;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Tidemark;

/// <summary>Borrowed connections: they are verified at each opening, and what is executed on them counts until they are closed.</summary>
public sealed class LeaseTests(StoreCluster shared) : ObservationsOf, IClassFixture<StoreCluster>, IAsyncLifetime
{
    protected override StoreCluster Store => shared;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        foreach (var replica in Cluster.Replicas) await replica.ResumeReplayAsync(CancellationToken.None);
        await Cluster.WaitForReplayAsync(CancellationToken.None);
    }

    [Theory]
    [InlineData("a held connection")]
    [InlineData("an open reader")]
    [InlineData("a streaming query")]
    [InlineData("a report")]
    public async Task The_observation_of_an_open_reader_is_never_followed_by_less(string by)
    {
        var id = await Cluster.MakeItemAsync("v4");
        await Cluster["pg-3"].PauseReplayAsync(Stop);
        await Cluster.Primary.RunAsync($"UPDATE items SET name = 'v5' WHERE id = {id}");
        await Cluster.WaitForReplayAsync(Stop);

        using var session = Source.BeginSession();
        await using var shown = await ShowOnAsync("pg-2", by, id);
        for (var i = 0; i < 24; i++) (await NameAsync(id)).ShouldBe("v5");
    }

    [Fact]
    public async Task A_sample_during_a_held_connection_does_not_settle_what_it_shows_later()
    {
        var id = await Cluster.MakeItemAsync("v1");
        using var session = Source.BeginSession();
        using var named = Source.RequireNode("pg-2");
        await using var held = await Source.OpenReadConnectionAsync(cancellationToken: Stop);
        named.Dispose();
        await ScalarAsync(held, "SELECT 'anything'");

        // A read on the primary makes the session sample what is pending.
        (await NameAsync(id, Consistency.Strong)).ShouldBe("v1");
        (await NameAsync(id)).ShouldBe("v1");

        await Cluster["pg-3"].PauseReplayAsync(Stop);
        await Cluster.Primary.RunAsync($"UPDATE items SET name = 'v2' WHERE id = {id}");
        await Cluster.WaitForReplayAsync(Stop);
        (await ScalarAsync(held, $"SELECT name FROM items WHERE id = {id}")).ShouldBe("v2");
        for (var i = 0; i < 24; i++) (await NameAsync(id)).ShouldBe("v2");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_read_connection_opened_again_is_refused_if_its_node_lacks_the_sessions_write(bool isAsync)
    {
        using var session = Source.BeginSession();
        await using var connection = await Source.OpenReadConnectionAsync(cancellationToken: Stop);
        connection.Port.ShouldNotBe(Cluster.Primary.Port);
        await connection.CloseAsync();
        if (isAsync) await connection.OpenAsync(Stop);
        else connection.Open();
        await connection.CloseAsync();

        foreach (var replica in Cluster.Replicas) await replica.PauseReplayAsync(Stop);
        await Source.WriteAsync($"INSERT INTO items (name) VALUES ('written before opening again, {isAsync}')");
        var open = isAsync ? () => connection.OpenAsync(Stop) : (Func<Task>)(() => Task.Run(connection.Open, Stop));
        var refused = await Should.ThrowAsync<RoutingException>(open);
        refused.Message.ShouldContain("OpenReadConnection");
        connection.State.ShouldBe(System.Data.ConnectionState.Closed);

        foreach (var replica in Cluster.Replicas) await replica.ResumeReplayAsync(Stop);
        await Cluster.WaitForReplayAsync(Stop);
        (await connection.ExecuteScalarAsync<long>($"SELECT count(*) FROM items WHERE name = 'written before opening again, {isAsync}'"))
            .ShouldBe(1);
    }

    [Fact]
    public async Task A_refused_read_connection_is_returned_to_its_pool_once()
    {
        await using var source = await Store.ConnectAsync(b => b.AddToConnectionStrings("Maximum Pool Size=2;Timeout=5"));
        using var session = source.BeginSession();
        using var named = source.RequireNode("pg-2");
        var connection = await source.OpenReadConnectionAsync(cancellationToken: Stop);
        await connection.CloseAsync();
        foreach (var replica in Cluster.Replicas) await replica.PauseReplayAsync(Stop);
        await source.WriteAsync("INSERT INTO items (name) VALUES ('refused')");
        for (var i = 0; i < 3; i++) await Should.ThrowAsync<RoutingException>(() => connection.OpenAsync(Stop));
        await connection.DisposeAsync();

        foreach (var replica in Cluster.Replicas) await replica.ResumeReplayAsync(Stop);
        await Cluster.WaitForReplayAsync(Stop);
        await using var one = await source.OpenReadConnectionAsync(cancellationToken: Stop);
        await using var other = await source.OpenReadConnectionAsync(cancellationToken: Stop);
        one.ProcessID.ShouldNotBe(other.ProcessID);
    }

    [Fact]
    public async Task A_connection_is_a_write_of_the_session_that_opens_it()
    {
        await using var connection = Source.CreateConnection();
        foreach (var replica in Cluster.Replicas) await replica.PauseReplayAsync(Stop);
        foreach (var name in (string[])["first session", "second session"])
        {
            using var session = Source.BeginSession();
            await connection.ExecuteAsync($"INSERT INTO items (name) VALUES ('{name}')");
            session.HasMoved.ShouldBeTrue();
            (await CountAsync(name)).ShouldBe(1);
        }
    }

    [Fact]
    public async Task A_connection_opened_while_writes_are_ignored_counts_once_they_are_not()
    {
        foreach (var replica in Cluster.Replicas) await replica.PauseReplayAsync(Stop);
        using var session = Source.BeginSession();
        await using var connection = Source.CreateConnection();
        using (session.IgnoreWrites())
        {
            await connection.OpenAsync(Stop);
            await connection.ExecuteAsync("INSERT INTO items (name) VALUES ('ignored')");
        }

        await connection.ExecuteAsync("INSERT INTO items (name) VALUES ('not ignored')");
        (await CountAsync("not ignored")).ShouldBe(1);
        await connection.CloseAsync();
        (await CountAsync("not ignored")).ShouldBe(1);
    }

    [Fact]
    public async Task A_data_adapter_on_a_closed_connection_is_a_write_of_the_session()
    {
        foreach (var replica in Cluster.Replicas) await replica.PauseReplayAsync(Stop);
        using var session = Source.BeginSession();
        await using var connection = (NpgsqlConnection)Source.CreateConnection();
        using var adapter = new NpgsqlDataAdapter("SELECT id, name FROM items LIMIT 0", connection);
        using var commands = new NpgsqlCommandBuilder(adapter);
        using var table = new System.Data.DataTable();
        adapter.InsertCommand = new NpgsqlCommand("INSERT INTO items (name) VALUES ('by an adapter')", connection);
        adapter.Fill(table);
        table.Rows.Add(1, "x");
        adapter.Update(table);
        (await CountAsync("by an adapter")).ShouldBe(1);
    }

    /// <summary>Reads the name of the item on the node, and stays open.</summary>
    private async Task<IAsyncDisposable> ShowOnAsync(string node, string by, int id)
    {
        var sql = $"SELECT name FROM items WHERE id = {id} UNION ALL SELECT repeat('x', 1000000) FROM generate_series(1, 3)";
        using var named = Source.RequireNode(node);
        switch (by)
        {
            case "a held connection":
                var held = await Source.OpenReadConnectionAsync(cancellationToken: Stop);
                (await ScalarAsync(held, sql)).ShouldBe("v5");
                return held;
            case "an open reader":
                await using (var command = Source.CreateReadCommand(sql))
                {
                    var reader = await command.ExecuteReaderAsync(Stop);
                    (await reader.ReadAsync(Stop)).ShouldBeTrue();
                    reader.GetString(0).ShouldBe("v5");
                    return reader;
                }

            case "a report":
                var report = await Source.BeginReadOnlyTransactionAsync(cancellationToken: Stop);
                (await ScalarAsync(report.Connection, sql)).ShouldBe("v5");
                return report;
            default:
#pragma warning disable CA2000 // It lives as long as the rows.
                var context = Store.CreateContext();
#pragma warning restore CA2000
                var rows = context.Items.AsNoTracking().Where(i => i.Id >= id).OrderBy(i => i.Id).Select(i => i.Name).AsAsyncEnumerable()
                    .GetAsyncEnumerator(Stop);
                (await rows.MoveNextAsync()).ShouldBeTrue();
                rows.Current.ShouldBe("v5");
                return rows;
        }
    }
}
