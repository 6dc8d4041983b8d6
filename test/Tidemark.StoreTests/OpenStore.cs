using System.Globalization;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>A cluster of three nodes and a store that uses it. Test classes that do not break servers use one instance each.</summary>
public sealed class OpenStore : IAsyncLifetime
{
    /// <summary>
    /// The number of users, equal to the maximum number of visitors, so that each wishlist and inbox has a single writer.
    /// </summary>
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

    /// <summary>Stops the store with SIGINT, so that the statistics of the servers include all its reads.</summary>
    public async Task CloseAsync() => (await Process.InterruptAsync()).ShouldBe(0, Process.Output);

    /// <summary>Stops the store and starts it again.</summary>
    public async Task ReopenAsync()
    {
        await CloseAsync();
        await Process.DisposeAsync();
        Process = await StoreProcess.OpenAsync(Cluster);
    }

    /// <summary>Returns a new visitor who is not signed in.</summary>
    internal Visitor Visit() => Visitor.Of(Process.Address);

    /// <summary>Returns a new visitor who is signed in.</summary>
    internal async Task<Visitor> SignInAsync(int user)
    {
        var visitor = Visit();
        await visitor.SignInAsync(user);
        return visitor;
    }

    /// <summary>
    /// The number of reads of the product table on each node, from the statistics of the servers. Exact after the store has ended.
    /// </summary>
    public async Task<long[]> CountReadsAsync()
    {
        const string scans = "SELECT coalesce((SELECT seq_scan + idx_scan FROM pg_stat_user_tables WHERE relname = 'products'), 0)";
        var reads = new List<long>();
        foreach (var node in Cluster.Nodes) reads.Add(await node.QueryAsync<long>(scans));
        return [.. reads];
    }
}
