using Microsoft.EntityFrameworkCore;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>
/// Acknowledged writes that the cluster's history no longer contains. A loss must never go unreported, and nothing is reported that was not
/// lost.
/// </summary>
public sealed class LostWriteTests : IAsyncLifetime
{
    private readonly StoreCluster _store = new ClusterOfFour();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private LocalCluster Cluster => _store.Cluster;

    public ValueTask InitializeAsync() => _store.InitializeAsync();

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Theory]
    [InlineData("SaveChanges in a transaction", true, true)]
    [InlineData("SaveChanges", true, true)]
    [InlineData("a command", true, true)]
    [InlineData("SaveChanges in a transaction", false, null)]
    [InlineData("a command", false, null)]
    public async Task A_write_that_no_replica_had_at_a_promotion_is_reported(string by, bool mayReplicate,
        bool? isCertain)
    {
        var user = await UserAsync(_store, mayReplicate);
        await using var user1 = user;
        using var session = user.Source.BeginSession();
        await WriteAsync(user.Source, by, "kept");
        await Cluster.WaitForReplayAsync(Stop);
        await CutReplicasOffAsync();
        await WriteAsync(user.Source, by, "lost");
        await FailOverAsync(user.Source, "pg-2");

        (await CountAsync(user.Source, "lost")).ShouldBe(0);
        (await CountAsync(user.Source, "kept")).ShouldBe(1);
        var lost = user.Reports.ShouldHaveSingleItem();
        lost.WasWritten.ShouldBeTrue();
        // Probes alone may have come close enough to the fork to be certain, or may not.
        if (isCertain is { } known) lost.IsCertain.ShouldBe(known, lost.ToString());
        user.Log.Entries.Count(e => e.Event == "WriteLost").ShouldBe(1);

        // The loss has been reported. From here on it is a session like any other, on the new timeline.
        await WriteAsync(user.Source, by, "after");
        (await CountAsync(user.Source, "after")).ShouldBe(1);
        await user.Source.UntilReadOnReplicaAsync(Cluster);
        user.Reports.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_loss_is_thrown_once_if_ThrowOnLostWrite_is_set()
    {
        await using var user = await UserAsync(_store, mayReplicate: true, b => b.Options.ThrowOnLostWrite = true);
        using var session = user.Source.BeginSession();
        await CutReplicasOffAsync();
        await WriteAsync(user.Source, "SaveChanges in a transaction", "lost");
        var position = session.Written.ShouldNotBeNull();
        await FailOverAsync(user.Source, "pg-2");

        var error = await Should.ThrowAsync<LostWriteException>(() => CountAsync(user.Source, "lost"));
        error.Lost.ShouldNotBeNull().Position.ShouldBe(position);
        error.Message.ShouldContain("was lost");
        (await CountAsync(user.Source, "lost")).ShouldBe(0);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_session_with_writes_before_the_fork_loses_nothing_and_reads_from_a_replica(
        bool mayReplicate)
    {
        await using var user = await UserAsync(_store, mayReplicate);
        using var session = user.Source.BeginSession();
        await WriteAsync(user.Source, "SaveChanges in a transaction", "kept");
        await Cluster.WaitForReplayAsync(Stop);

        // A monitor without the right to read the timeline history has only the samples of probes from before a fork.
        foreach (var index in (int[])[1, 2, 3]) await user.Source.Cluster.Monitor.SampleAsync(index, Stop);
        await FailOverAsync(user.Source, "pg-2");
        await StoreCluster.UntilAsync(user.Source, nodes => nodes["pg-3"].Timeline == 2 || (!mayReplicate && nodes["pg-3"].IsServing));

        (await CountAsync(user.Source, "kept")).ShouldBe(1);
        await user.Source.UntilReadOnReplicaAsync(Cluster);
        (await CountAsync(user.Source, "kept")).ShouldBe(1);
        user.Reports.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("the process that saw it all")]
    [InlineData("a process that has just started")]
    public async Task Two_promotions_in_a_row_report_exactly_the_lost_writes(string process)
    {
        var user = await UserAsync(_store, mayReplicate: true);
        await using var user1 = user;
        var tokens = new Dictionary<string, CausalToken>
        {
            ["kept on 1"] = await WriteInSessionAsync(user.Source, "kept on 1"),
        };
        await Cluster.WaitForReplayAsync(Stop);
        await CutReplicasOffAsync();
        tokens["lost on 1"] = await WriteInSessionAsync(user.Source, "lost on 1");
        await FailOverAsync(user.Source, "pg-2");

        tokens["kept on 2"] = await WriteInSessionAsync(user.Source, "kept on 2");
        await Cluster.WaitForReplayAsync(Stop);
        await CutReplicasOffAsync();
        tokens["lost on 2"] = await WriteInSessionAsync(user.Source, "lost on 2");
        await FailOverAsync(user.Source, "pg-3");

        var reader = process == "a process that has just started" ? await UserAsync(_store, mayReplicate: true) : user;
        await using var reader1 = reader;
        reader.Reports.Clear();
        foreach (var (name, token) in tokens)
        {
            using var session = reader.Source.BeginSession(token);
            var isLost = name.StartsWith("lost", StringComparison.Ordinal);
            (await CountAsync(reader.Source, name)).ShouldBe(isLost ? 0 : 1, name);
            reader.Reports.Count(r => r.WasWritten).ShouldBe(isLost ? 1 : 0, $"{name}: {string.Join(' ', reader.Reports)}");
            if (isLost) reader.Reports.ShouldAllBe(r => r.Position == token.Written || !r.WasWritten);
            reader.Reports.Clear();
        }
    }

    [Theory]
    [InlineData("SaveChanges in a transaction")]
    [InlineData("SaveChanges")]
    [InlineData("a command")]
    public async Task A_crash_that_loses_an_asynchronous_commit_on_the_same_timeline_is_reported(string by)
    {
        // WAL that the WAL writer has not written yet exists only in the server's memory.
        await Cluster.Primary.RunAsync("ALTER SYSTEM SET wal_writer_delay = '10s'");
        await Cluster.Primary.RunAsync("SELECT pg_reload_conf()");
        await using var user = await UserAsync(_store, mayReplicate: true, b => b.AddToConnectionStrings("Options=-c "
            + "synchronous_commit=off"));
        using var session = user.Source.BeginSession();
        await Cluster.Primary.RunAsync("INSERT INTO items (name) VALUES ('flushed')");
        await user.Source.Cluster.Monitor.SampleAsync(0, Stop);
        await WriteAsync(user.Source, by, "lost");
        await Cluster.Primary.KillAsync(Stop);
        await Cluster.Primary.StartAsync(Stop);
        await user.Source.Cluster.Monitor.SampleAsync(0, Stop);
        await StoreCluster.UntilAsync(user.Source, nodes => nodes.Primary == "pg-1");
        (await Cluster.Primary.QueryAsync<long>("SELECT count(*) FROM items WHERE name = 'lost'"))
            .ShouldBe(0, "nothing was lost: the commit had been flushed");

        // Later WAL passes the position of what was lost.
        await Cluster.Primary.RunAsync("INSERT INTO items (name) SELECT 'later' FROM generate_series(1, 1000)");
        await Cluster.WaitForReplayAsync(Stop);
        (await CountAsync(user.Source, "lost")).ShouldBe(0);
        user.Reports.ShouldContain(r => r.WasWritten);
        user.Log.Entries.ShouldContain(e => e.Event == "WriteLost");
        user.Reports.Clear();
        await user.Source.UntilReadOnReplicaAsync(Cluster);
        user.Reports.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_crash_that_loses_nothing_is_not_reported()
    {
        await using var user = await UserAsync(_store, mayReplicate: true);
        using var session = user.Source.BeginSession();
        await WriteAsync(user.Source, "SaveChanges in a transaction", "kept");
        await user.Source.Cluster.Monitor.SampleAsync(0, Stop);
        await Cluster.Primary.KillAsync(Stop);
        await Cluster.Primary.StartAsync(Stop);
        await user.Source.Cluster.Monitor.SampleAsync(0, Stop);
        await StoreCluster.UntilAsync(user.Source, nodes => nodes.Primary == "pg-1");

        (await CountAsync(user.Source, "kept")).ShouldBe(1);
        await user.Source.UntilReadOnReplicaAsync(Cluster);
        user.Reports.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("the process that saw it all")]
    [InlineData("a process that has just started")]
    public async Task A_standby_left_behind_on_an_abandoned_timeline_is_not_trusted(string process)
    {
        // pg-2 is promoted although the old primary runs. pg-4 follows pg-2, and pg-3 keeps following the old primary.
        var left = Cluster["pg-3"];
        await Cluster["pg-2"].PromoteAsync(follow: false, cancellationToken: Stop);
        await Cluster["pg-4"].FollowAsync(Cluster["pg-2"], Stop);
        await Cluster["pg-1"].RunAsync("INSERT INTO items (name) SELECT 'dead' FROM generate_series(1, 5000)");
        var dead = await Cluster["pg-1"].QueryAsync<NpgsqlTypes.NpgsqlLogSequenceNumber>("SELECT pg_current_wal_flush_lsn()");
        await left.UntilAsync<NpgsqlTypes.NpgsqlLogSequenceNumber>("SELECT pg_last_wal_replay_lsn()", at => at >= dead);
        var user = await UserAsync(_store, mayReplicate: true);
        await using var user1 = user;
        await Cluster["pg-1"].KillAsync(Stop);
        await left.UntilAsync<long>("SELECT count(*) FROM pg_stat_wal_receiver", receivers => receivers == 0);

        var reader = process == "a process that has just started" ? await UserAsync(_store, mayReplicate: true) : user;
        await using var reader1 = reader;
        using var session = reader.Source.BeginSession();
        await WriteAsync(reader.Source, "SaveChanges in a transaction", "alive");
        session.Written.ShouldNotBeNull().Lsn.ShouldBeLessThan(dead);
        await Cluster["pg-4"].UntilAsync<NpgsqlTypes.NpgsqlLogSequenceNumber>("SELECT pg_last_wal_replay_lsn()",
            at => at >= session.Written.Value.Lsn);
        for (var i = 0; i < 50; i++)
        {
            var (count, port) = await reader.Source.ReadAsync<long>("SELECT count(*) FROM items WHERE name = 'alive'");
            (count, _store.NodeAt(port)).ShouldBe((1, _store.NodeAt(port)));
            port.ShouldNotBe(left.Port);
        }

        user.Reports.ShouldBeEmpty();
    }

    /// <summary>
    /// Stops the stream of all replicas: none receives what is written from here on, and none can detect that there is more.
    /// </summary>
    private async Task CutReplicasOffAsync()
    {
        foreach (var replica in Cluster.Replicas) await replica.StopReceivingAsync();
    }

    private async Task FailOverAsync(TidemarkDataSource source, string next)
    {
        var remaining = Cluster.Replicas;
        await Cluster.Primary.KillAsync(Stop);
        foreach (var replica in remaining) await replica.ReceiveAgainAsync();
        await Cluster[next].PromoteAsync(cancellationToken: Stop);
        await StoreCluster.UntilAsync(source, nodes => nodes.Primary == next);
        await Cluster.WaitForReplayAsync(Stop);
    }

    private async Task<CausalToken> WriteInSessionAsync(TidemarkDataSource source, string name)
    {
        using var session = source.BeginSession();
        await WriteAsync(source, "SaveChanges in a transaction", name);
        return await source.CaptureTokenAsync(Stop);
    }

    private async Task WriteAsync(TidemarkDataSource source, string by, string name)
    {
        if (by == "a command")
        {
            await source.WriteAsync($"INSERT INTO items (name) VALUES ('{name}')");
            return;
        }

        await using var context = _store.CreateContext(source);
        await using var transaction = by == "SaveChanges" ? null : await context.Database.BeginTransactionAsync(Stop);
        context.Add(new Item { Name = name });
        await context.SaveChangesAsync(Stop);
        if (transaction is not null) await transaction.CommitAsync(Stop);
    }

    private static async Task<long> CountAsync(TidemarkDataSource source, string name) =>
        (await source.ReadAsync<long>($"SELECT count(*) FROM items WHERE name = '{name}'")).Value;

    /// <summary>A data source and everything it reports. Without the REPLICATION right it cannot read where timelines were left.</summary>
    private static async Task<User> UserAsync(StoreCluster store, bool mayReplicate, Action<TidemarkDataSourceBuilder>? configure = null)
    {
        if (!mayReplicate)
        {
            await store.Cluster.Primary.RunAsync("CREATE ROLE app LOGIN; GRANT pg_read_all_stats TO app; GRANT ALL ON items TO app");
            await store.Cluster.WaitForReplayAsync(Stop);
        }

        var log = new RecordedLog();
        var source = await store.ConnectAsync(b =>
        {
            b.LoggerFactory = log;
            if (!mayReplicate) b.AddToConnectionStrings("Username=app");
            configure?.Invoke(b);
        });
        return new User(source, log);
    }

    private sealed class User : IAsyncDisposable
    {
        public User(TidemarkDataSource source, RecordedLog log)
        {
            (Source, Log) = (source, log);
            source.WriteLost += (_, lostWrite) => Reports.Add(lostWrite);
        }

        public TidemarkDataSource Source { get; }

        public RecordedLog Log { get; }

        public List<LostWrite> Reports { get; } = [];

        public ValueTask DisposeAsync()
        {
            Log.Dispose();
            return Source.DisposeAsync();
        }
    }

    private sealed class ClusterOfFour : StoreCluster
    {
        protected override int Replicas => 3;
    }
}
