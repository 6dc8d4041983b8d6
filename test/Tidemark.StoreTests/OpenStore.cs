using System.Globalization;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>A cluster of three with the store open on it. One for each test class that breaks nothing.</summary>
public sealed class OpenStore : IAsyncLifetime
{
    /// <summary>As many users as there are visitors at most, so that each has a wishlist and an inbox that nobody else changes.</summary>
    public const int Users = 8;

    public LocalCluster Cluster { get; private set; } = null!;

    internal StoreProcess Process { get; private set; } = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        Cluster = await LocalCluster.StartAsync(cancellationToken: Stop);
        Process = await StoreProcess.OpenAsync(Cluster);
        await Cluster.Primary.RunAsync(string.Create(CultureInfo.InvariantCulture,
            $"INSERT INTO users (name) SELECT 'Visitor ' || i FROM generate_series((SELECT count(*) FROM users) + 1, {Users}) AS i"));
        await Cluster.WaitForReplayAsync(Stop);
    }

    public async ValueTask DisposeAsync()
    {
        await Process.DisposeAsync();
        await Cluster.DisposeAsync();
    }

    /// <summary>Ends the store by Ctrl-C, so that its servers have counted all it read.</summary>
    public async Task CloseAsync() => (await Process.InterruptAsync()).ShouldBe(0, Process.Output);

    /// <summary>Ends the store and starts it again.</summary>
    public async Task ReopenAsync()
    {
        await CloseAsync();
        await Process.DisposeAsync();
        Process = await StoreProcess.OpenAsync(Cluster);
    }

    /// <summary>A browser of its own in front of the store, with nobody signed in.</summary>
    internal Visitor Visit() => Visitor.Of(Process.Address);

    /// <summary>A browser of its own in front of the store.</summary>
    internal async Task<Visitor> SignInAsync(int user)
    {
        var visitor = Visit();
        await visitor.SignInAsync(user);
        return visitor;
    }

    /// <summary>
    /// How often the product table was read, by the servers' own statistics, in the order of the nodes. Exact once the store has ended.
    /// </summary>
    public async Task<long[]> CountReadsAsync()
    {
        const string scans = "SELECT coalesce((SELECT seq_scan + idx_scan FROM pg_stat_user_tables WHERE relname = 'products'), 0)";
        var reads = new List<long>();
        foreach (var node in Cluster.Nodes) reads.Add(await node.AskAsync<long>(scans));
        return [.. reads];
    }
}
