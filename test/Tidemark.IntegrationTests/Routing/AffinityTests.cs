using System.Collections.Concurrent;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>A user stays on one replica, on servers that stop and start again.</summary>
public sealed class AffinityTests : IAsyncLifetime
{
    private readonly StoreCluster _store = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => _store.InitializeAsync();

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Fact]
    public async Task A_users_reads_all_go_to_one_replica_in_every_session_and_process()
    {
        await using var other = await _store.ConnectAsync(b => b.Options.Balancing = BalancingPolicy.RoundRobin);
        var homes = new Dictionary<string, int>();
        for (var user = 0; user < 20; user++)
        {
            var ports = new HashSet<int>();
            for (var request = 0; request < 10; request++)
            {
                var source = request % 2 == 0 ? _store.Source : other;
                using var session = source.BeginSession(affinity: $"user-{user}");
                ports.Add(await PortAsync(source));
                _store.NodeAt(ports.First()).ShouldBe(source.Explain().Node);
            }

            homes[$"user-{user}"] = ports.ShouldHaveSingleItem();
        }

        homes.Values.Distinct().Count().ShouldBe(2);
    }

    [Fact]
    public void An_empty_affinity_key_is_refused() =>
        Should.Throw<ArgumentException>(() => _store.Source.BeginSession(affinity: ""));

    [Fact]
    public async Task No_user_goes_back_in_time_when_their_replica_restarts_with_replay_delayed()
    {
        await _store.Cluster.Primary.RunAsync("CREATE TABLE counter (value bigint NOT NULL); INSERT INTO counter VALUES (0)");
        await _store.Cluster.WaitForReplayAsync(Stop);
        var replica = _store.Cluster["pg-2"];
        using var end = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        var readers = Enumerable.Range(0, 6).Select(i => new Reader($"user-{i}")).ToArray();
        var work = readers.Select(r => ReadAsync(r, end.Token)).Append(RaiseAsync(end.Token)).ToArray();
        await UntilEachReadAsync(readers, 30);

        await replica.StopAsync(StopMode.Immediate, Stop);
        await UntilEachReadAsync(readers, 30);
        await replica.DelayReplayAsync(TimeSpan.FromSeconds(1), Stop);
        await replica.StartAsync(Stop);
        await StoreCluster.UntilAsync(_store.Source, nodes => nodes["pg-2"].IsServing);

        // For one second the replica does not advance; afterwards it lags by one second.
        await UntilEachReadAsync(readers, 200);
        await replica.DelayReplayAsync(TimeSpan.Zero, Stop);
        await UntilEachReadAsync(readers, 100);
        await end.CancelAsync();
        await Task.WhenAll(work);

        readers.Sum(r => r.StepsBack).ShouldBe(0);
        readers.ShouldAllBe(r => r.Last > 0);

        // Both replicas must have served; otherwise the test proves nothing.
        var ports = readers.SelectMany(r => r.Ports.Keys).Distinct().ToArray();
        ports.ShouldContain(replica.Port);
        ports.ShouldContain(_store.Cluster["pg-3"].Port);
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{readers.Sum(r => r.Count)} reads; by port: {string.Join(", ", readers.SelectMany(r => r.Ports).GroupBy(p => p.Key).Select(g => $"{_store.NodeAt(g.Key)} {g.Sum(p => p.Value)}"))}");
    }

    private static async Task<int> PortAsync(TidemarkDataSource source)
    {
        await using var command = source.CreateReadCommand("SELECT inet_server_port()");
        return (int)(await command.ExecuteScalarAsync(Stop))!;
    }

    private async Task RaiseAsync(CancellationToken end)
    {
        while (!end.IsCancellationRequested)
        {
            await using var command = _store.Source.CreateCommand("UPDATE counter SET value = value + 1");
            await command.ExecuteNonQueryAsync(Stop);
        }
    }

    /// <summary>One user with sessions of ten reads each. Each session continues where the previous one ended.</summary>
    private async Task ReadAsync(Reader reader, CancellationToken end)
    {
        CausalToken? token = null;
        while (!end.IsCancellationRequested)
        {
            using var session = _store.Source.BeginSession(token, reader.User);
            for (var i = 0; i < 10; i++)
            {
                await using var command = _store.Source.CreateReadCommand("SELECT value, inet_server_port() FROM counter");
                await using var row = await command.ExecuteReaderAsync(Stop);
                await row.ReadAsync(Stop);
                reader.Note(row.GetInt64(0), row.GetInt32(1));
            }

            token = await _store.Source.CaptureTokenAsync(Stop);
        }
    }

    private async Task UntilEachReadAsync(Reader[] readers, int more)
    {
        var before = readers.Select(r => r.Count).ToArray();
        while (readers.Where((r, i) => r.Count < before[i] + more).Any()) await _store.Source.Cluster.Monitor.SampleAsync(0, Stop);
    }

    private sealed class Reader(string user)
    {
        private int _count;

        public string User => user;

        public int Count => Volatile.Read(ref _count);

        public long Last { get; private set; }

        public int StepsBack { get; private set; }

        public ConcurrentDictionary<int, int> Ports { get; } = [];

        public void Note(long value, int port)
        {
            if (value < Last) StepsBack++;
            Last = value;
            Ports.AddOrUpdate(port, 1, (_, n) => n + 1);
            Interlocked.Increment(ref _count);
        }
    }
}
