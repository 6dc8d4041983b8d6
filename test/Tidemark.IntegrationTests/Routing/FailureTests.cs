using System.Diagnostics;
using Dapper;
using Microsoft.EntityFrameworkCore;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>Servers are stopped, killed and promoted; each test breaks a cluster of its own.</summary>
public sealed class FailureTests : IAsyncLifetime
{
    private readonly StoreCluster _store = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => _store.InitializeAsync();

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Theory]
    [InlineData("stop")]
    [InlineData("stop at once")]
    [InlineData("kill")]
    public async Task A_replica_that_stops_and_restarts_under_load_fails_no_read(string how)
    {
        var replica = _store.Cluster["pg-2"];
        await using var load = new Load(_store);
        await load.AtLeastAsync(200);

        if (how == "kill") await replica.KillAsync(Stop);
        else await replica.StopAsync(how == "stop" ? StopMode.Fast : StopMode.Immediate, Stop);
        await load.AtLeastAsync(500);
        await replica.StartAsync(Stop);
        await StoreCluster.UntilAsync(_store.Source, nodes => nodes["pg-2"].IsServing);
        var before = load.ReadsOn(replica.Port);
        while (load.ReadsOn(replica.Port) < before + 50) await load.AtLeastAsync(100);

        await load.StopAsync();
        MidAnswer.ShouldBeAll(load.Failures);
        load.ReadsOn(_store.Cluster.Primary.Port).ShouldBe(0);
    }

    [Theory]
    [InlineData(StopMode.Fast, true)]
    [InlineData(StopMode.Fast, false)]
    [InlineData(StopMode.Immediate, true)]
    [InlineData(StopMode.Immediate, false)]
    public async Task A_value_that_has_arrived_is_not_lost_when_its_server_shuts_down(StopMode mode, bool isAsync)
    {
        // The first row is in the server's buffer. It is sent when the server shuts down while it computes the second.
        await using var command = _store.Source.CreateReadCommand("SELECT inet_server_port() FROM generate_series(1, 2) i WHERE i = 1 "
            + "OR pg_sleep(60) IS NOT NULL");
        var reading = Task.Run(async () => isAsync ? await command.ExecuteScalarAsync(Stop) : command.ExecuteScalar(), Stop);
        LocalNode? asked = null;
        while (asked is null)
        {
            foreach (var replica in _store.Cluster.Replicas)
                if (await replica.QueryAsync<bool>("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep')"))
                    asked = replica;
        }

        await asked.StopAsync(mode, Stop);
        (await reading).ShouldBe(asked.Port);
        await StoreCluster.UntilAsync(_store.Source, nodes => !nodes[asked.Name].IsServing);
        _store.Source.Cluster.ReadsInFlight.ShouldBe(0);
    }

    [Fact]
    public async Task Reads_go_to_the_primary_if_every_replica_is_down()
    {
        await using var load = new Load(_store);
        await load.AtLeastAsync(100);
        foreach (var replica in _store.Cluster.Replicas) await replica.KillAsync(Stop);
        await load.AtLeastAsync(300);
        await load.StopAsync();

        load.Failures.ShouldBeEmpty();
        load.ReadsOn(_store.Cluster.Primary.Port).ShouldBeGreaterThan(0);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Without_a_primary_reads_continue_and_writes_fail_at_once_with_node_states(bool byEf)
    {
        await using var load = new Load(_store);
        await load.AtLeastAsync(100);
        await _store.Cluster.Primary.KillAsync(Stop);

        var watch = Stopwatch.StartNew();
        var error = byEf
            ? await Should.ThrowAsync<RoutingException>(SaveAsync)
            : await Should.ThrowAsync<RoutingException>(async () => await _store.Source.OpenWriteConnectionAsync(Stop));

        // Detected from the snapshot, not by a time-out of 15 s. It takes milliseconds on an idle machine.
        watch.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(5));
        error.IsTransient.ShouldBeTrue();
        error.Message.ShouldContain("needs the primary");
        error.Message.ShouldContain("pg-1");
        error.Message.ShouldContain("pg-2  is a replica");

        await load.AtLeastAsync(200);
        await load.StopAsync();
        load.Failures.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_primary_that_hangs_soon_gets_no_writes_and_serves_again_when_it_resumes()
    {
        var primary = _store.Cluster.Primary;
        using var frozen = Frozen.Processes(primary.ProcessId!.Value);
        var watch = Stopwatch.StartNew();
        await StoreCluster.UntilAsync(_store.Source, nodes => nodes.Primary is null);
        await Should.ThrowAsync<RoutingException>(async () => await _store.Source.OpenWriteConnectionAsync(Stop));

        // A probe times out after 750 ms, a connection only after 15 s.
        watch.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(5));

        frozen.Dispose();
        await StoreCluster.UntilAsync(_store.Source, nodes => nodes.Primary == "pg-1");
        await SaveAsync();
    }

    [Fact]
    public async Task A_promotion_is_followed_and_the_old_primary_gets_no_further_write()
    {
        // This context exists throughout the failover. Its connection belonged to the old primary.
        await using var old = _store.CreateContext();
        old.Add(new Item { Name = "before" });
        await old.SaveChangesAsync(Stop);
        await _store.Cluster.WaitForReplayAsync(Stop);

        await _store.Cluster.Primary.KillAsync(Stop);
        var oldPrimary = _store.Cluster["pg-1"];
        await _store.Cluster["pg-2"].PromoteAsync(cancellationToken: Stop);
        await StoreCluster.UntilAsync(_store.Source, nodes => nodes.Primary == "pg-2");

        old.Add(new Item { Name = "after" });
        await old.SaveChangesAsync(Stop);
        (await _store.Cluster["pg-2"].QueryAsync<long>("SELECT count(*) FROM items WHERE name = 'after'")).ShouldBe(1);
        (await old.Items.AsNoTracking().CountAsync(i => i.Name == "after", Stop)).ShouldBe(1);

        await oldPrimary.StartAsync(Stop);
        await StoreCluster.UntilAsync(_store.Source,
            nodes => nodes["pg-1"].Problem?.Contains("timeline", StringComparison.Ordinal) == true);
        _store.Source.Explain(Consistency.Strong).Node.ShouldBe("pg-2");
        _store.Source.Explain(Consistency.Strong).Rejected.Single(r => r.Node == "pg-1").Reason.ShouldBe(RejectionReason.SupersededPrimary);
        await SaveAsync();
        (await oldPrimary.QueryAsync<long>("SELECT count(*) FROM items WHERE name = 'saved'")).ShouldBe(0);
    }

    [Fact]
    public async Task A_connection_of_a_demoted_primary_is_not_used_as_the_primary()
    {
        // The monitor is slow here, so the check on the connection itself must detect it.
        await using var source = await _store.ConnectAsync(b => b.Options.ProbeInterval = TimeSpan.FromMinutes(1));
        await using (await source.OpenWriteConnectionAsync(Stop)) { }

        var node = _store.Cluster.Primary;
        await node.StopAsync(cancellationToken: Stop);
        await File.WriteAllTextAsync(Path.Combine(node.DataDirectory, "standby.signal"), "", Stop);
        await node.StartAsync(Stop);

        var seen = new List<string>();
        for (var i = 0; i < 2; i++)
        {
            var error = await Should.ThrowAsync<Npgsql.NpgsqlException>(async () =>
            {
                await using var connection = await source.OpenWriteConnectionAsync(Stop);
                await connection.ExecuteAsync("DELETE FROM items");
            });
            seen.Add(error.Message);
        }

        seen.ShouldContain(message => message.Contains("reports that it is a standby", StringComparison.Ordinal)
            || message.Contains("needs the primary", StringComparison.Ordinal));
        seen.ShouldNotContain(message => message.Contains("read-only transaction", StringComparison.Ordinal));
    }

    private async Task SaveAsync()
    {
        await using var context = _store.CreateContext();
        context.Add(new Item { Name = "saved" });
        await context.SaveChangesAsync(Stop);
    }

    /// <summary>
    /// Reads continuously through EF Core and through commands, four at a time. Records where each read ran and what failed.
    /// </summary>
    private sealed class Load : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        private readonly System.Collections.Concurrent.ConcurrentDictionary<int, int> _reads = new();
        private readonly System.Collections.Concurrent.ConcurrentQueue<string> _failures = new();
        private readonly Task _workers;
        private int _total;

        public Load(StoreCluster store) =>
            _workers = Task.WhenAll(Enumerable.Range(0, 4).Select(i => Task.Run(() => ReadAsync(store, byEf: i % 2 == 0))));

        public IReadOnlyCollection<string> Failures => _failures;

        public int ReadsOn(int port) => _reads.GetValueOrDefault(port);

        public async Task AtLeastAsync(int more)
        {
            var goal = Volatile.Read(ref _total) + more;
            while (Volatile.Read(ref _total) < goal) await Task.Yield();
        }

        public async Task StopAsync()
        {
            await _stop.CancelAsync();
            await _workers;
        }

        public async ValueTask DisposeAsync()
        {
            await StopAsync();
            _stop.Dispose();
        }

        private async Task ReadAsync(StoreCluster store, bool byEf)
        {
            while (!_stop.IsCancellationRequested)
            {
                try
                {
                    var port = byEf ? await ByEfAsync(store) : await ByCommandAsync(store);
                    _reads.AddOrUpdate(port, 1, (_, n) => n + 1);
                }
                catch (Exception e)
                {
                    _failures.Enqueue(e.ToString());
                }

                Interlocked.Increment(ref _total);
            }
        }

        private static async Task<int> ByEfAsync(StoreCluster store)
        {
            await using var context = store.CreateContext();
            return await context.Items.Where(i => i.Id == 1).Select(i => StoreContext.ServerPort()).SingleAsync();
        }

        private static async Task<int> ByCommandAsync(StoreCluster store)
        {
            await using var command = store.Source.CreateReadCommand("SELECT inet_server_port() FROM items WHERE id = 1");
            return (int)(await command.ExecuteScalarAsync())!;
        }
    }
}
