using System.Globalization;
using Npgsql;

namespace Tidemark;

/// <summary>A store that started its own servers removes them when it ends.</summary>
public sealed class StoreEndTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory(Timeout = 120_000)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Ctrl_C_removes_all_servers_and_directories(bool alsoAtTheServers)
    {
        await using var store = await StoreProcess.OpenAsync();
        using (var visitor = Visitor.Of(store.Address)) (await visitor.GetAsync("/")).FindFault().ShouldBeNull();

        var servers = new List<Server>();
        foreach (var name in new[] { "pg-1", "pg-2", "pg-3" }) servers.Add(await Server.AtAsync(store.Announced(name)));
        servers.ShouldAllBe(server => server.IsAlive);
        var folder = servers.Select(server => Path.GetDirectoryName(server.Data)!).Distinct().ShouldHaveSingleItem();

        var exit = await store.InterruptAsync(alsoAtTheServers ? servers.Select(server => server.ProcessId) : []);
        exit.ShouldBe(0, store.Output);
        servers.ShouldAllBe(server => !server.IsAlive);
        Directory.Exists(folder).ShouldBeFalse();
    }

    [Fact(Timeout = 120_000)]
    public async Task Ctrl_C_while_the_servers_are_starting_ends_the_start()
    {
        await using var store = StoreProcess.Start();
        await store.SaysAsync(" Starting ");
        var children = ProcessTable.DescendantsOf(store.Id);
        children.ShouldNotBeEmpty();

        (await store.InterruptAsync()).ShouldBe(0, store.Output);
        children.ShouldAllBe(child => !ProcessTable.IsAlive(child));
        store.Output.ShouldNotContain("Exception");
    }

    /// <summary>A server of the store, with its process id and data directory as it reports them.</summary>
    private sealed record Server(string Data, int ProcessId)
    {
        public bool IsAlive => ProcessTable.IsAlive(ProcessId);

        public static async Task<Server> AtAsync(string address)
        {
            var port = address.Split(':')[1];
            await using var connection = new NpgsqlConnection($"Host=127.0.0.1;Port={port};Database=store;Username=postgres;Pooling=false");
            await connection.OpenAsync(Stop);
            await using var command = new NpgsqlCommand("SHOW data_directory", connection);
            var data = (string)(await command.ExecuteScalarAsync(Stop))!;
            return new Server(data, int.Parse(File.ReadLines(Path.Combine(data, "postmaster.pid")).First(), CultureInfo.InvariantCulture));
        }
    }
}
