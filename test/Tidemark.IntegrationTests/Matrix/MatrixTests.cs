using System.Diagnostics;
using System.Transactions;
using Dapper;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using Tidemark.Testing;
using Tidemark.Verification;

namespace Tidemark.Matrix;

/// <summary>
/// The promises of sessions, positions and failover, for each way to connect to the cluster. Tests of one way share a cluster. Promotions
/// have clusters of their own.
/// </summary>
public abstract class MatrixTests(MatrixCluster matrix, Way way)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static readonly Dictionary<string, Func<TidemarkDataSource, string, Task>> Ways = new()
    {
        ["a command"] = (source, name) => source.WriteAsync(Insert(name)),
        ["an EF save"] = (source, name) => SaveAsync(source, name),
        ["an EF transaction"] = async (source, name) =>
        {
            await using var context = MatrixCluster.CreateContext(source);
            await using var transaction = await context.Database.BeginTransactionAsync(Stop);
            context.Add(new Item { Name = name });
            await context.SaveChangesAsync(Stop);
            await transaction.CommitAsync(Stop);
        },
        ["a command in a TransactionScope"] = (source, name) => InScopeAsync(() => source.WriteAsync(Insert(name))),
        ["an EF save in a TransactionScope"] = (source, name) => InScopeAsync(() => SaveAsync(source, name)),
        ["Dapper"] = async (source, name) =>
        {
            await using var connection = await source.OpenWriteConnectionAsync(Stop);
            await connection.ExecuteAsync("INSERT INTO items (name) VALUES (@name)", new { name });
        },
    };

    private int _names;

    public static TheoryData<string> Writers => [.. Ways.Keys];

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private LocalCluster Cluster => matrix.Cluster;

    [Fact]
    public async Task Reads_are_served_by_every_replica()
    {
        await using var source = await matrix.ConnectAsync();
        var answered = new HashSet<int>();
        await UntilAsync(async () =>
        {
            var ports = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => source.ReadAsync<string>("SELECT pg_sleep(0.02)::text")));
            answered.UnionWith(ports.Select(answer => answer.Port));
            return Cluster.Replicas.All(replica => answered.Contains(replica.Port));
        });
    }

    [Theory]
    [MemberData(nameof(Writers))]
    public async Task A_session_reads_its_own_write(string by)
    {
        await using var source = await matrix.ConnectAsync();
        foreach (var replay in (string[])["running", "paused on pg-2", "50 ms late"])
        {
            await ReplayAsync(replay);
            try
            {
                var missing = 0;
                for (var i = 0; i < 8; i++)
                {
                    using var session = source.BeginSession();
                    var name = NextName();
                    await Ways[by](source, name);
                    var count = i % 2 == 0 ? await CountAsync(source, name) : await CountByEfAsync(source, name);
                    if (count != 1) missing++;
                }

                missing.ShouldBe(0, $"of 8 writes by {by}, replay {replay}");
            }
            finally
            {
                await ReplayAsync("running");
            }
        }
    }

    [Fact]
    public async Task A_counter_never_goes_back_over_sessions_that_hand_over_tokens()
    {
        var id = await Cluster.MakeItemAsync("0");
        await using var source = await matrix.ConnectAsync();
        await ReplayAsync("50 ms late");
        using var over = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        var raising = RaiseAsync(id, over.Token);
        try
        {
            var (last, token) = (0, (CausalToken?)null);
            for (var i = 0; i < 60; i++)
            {
                using var session = token is null ? source.BeginSession() : source.BeginSession(token);
                var (value, port) = await source.ReadAsync<int>($"SELECT name::int FROM items WHERE id = {id}");
                // The primary may show a commit a moment later than a replica does (docs/guarantees.md, visibility on the primary).
                if (!(port == Cluster.Primary.Port && value == last - 1)) value.ShouldBeGreaterThanOrEqualTo(last);
                last = Math.Max(last, value);
                token = await source.CaptureTokenAsync(Stop);
            }
        }
        finally
        {
            await over.CancelAsync();
            await raising;
            await ReplayAsync("running");
        }
    }

    [Fact]
    public async Task A_write_hidden_in_a_read_runs_once_and_belongs_to_the_session()
    {
        await using var source = await matrix.ConnectAsync();
        for (var i = 0; i < 5; i++)
        {
            using var session = source.BeginSession();
            var name = NextName();
            await using (var command = source.CreateReadCommand($"SELECT note('{name}')")) await command.ExecuteScalarAsync(Stop);
            (await source.ReadAsync<long>($"SELECT count(*) FROM notes WHERE note = '{name}'")).Value.ShouldBe(1);
            (await Cluster.Primary.QueryAsync<long>($"SELECT count(*) FROM notes WHERE note = '{name}'")).ShouldBe(1);
            session.HasMoved.ShouldBeTrue();
        }
    }

    [Fact]
    public async Task Parallel_sessions_observe_no_violation()
    {
        await using var source = await matrix.ConnectAsync();
        await ReplayAsync("50 ms late");
        try
        {
            await using var router = WorkloadRouter.Tidemark(source);
            await using var recorder = await HistoryRecorder.StartAsync(Cluster, cancellationToken: Stop);
            var options = new HistoryWorkloadOptions { Duration = TimeSpan.FromSeconds(3) };
            var report = await HistoryWorkload.RunAsync(recorder, router, options, Stop);
            TestContext.Current.TestOutputHelper!.WriteLine(report.ToString());

            report.Violations.ShouldBeEmpty(string.Join('\n', report.Examples));
            report.FailedReads.ShouldBe(0, string.Join('\n', report.Failures));
            report.UnknownWrites.ShouldBe(0);
            report.ReadsOnReplicas.ShouldBeGreaterThan(0);
        }
        finally
        {
            await ReplayAsync("running");
        }
    }

    [Fact]
    public async Task A_clean_restart_of_the_primary_reports_no_loss()
    {
        await using var source = await matrix.ConnectAsync();
        var lost = LossesOf(source);
        using var session = source.BeginSession();
        var name = NextName();
        await Ways["an EF save"](source, name);
        await Cluster.Primary.StopAsync(cancellationToken: Stop);
        await Cluster.Primary.StartAsync(Stop);

        (await EventuallyAsync(() => CountAsync(source, name))).ShouldBe(1);
        var next = NextName();
        await EventuallyAsync(async () =>
        {
            await source.WriteAsync(Insert(next));
            return true;
        });
        (await EventuallyAsync(() => CountAsync(source, next))).ShouldBeGreaterThan(0);
        lost.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_crash_that_loses_an_asynchronous_commit_is_reported()
    {
        // WAL that the WAL writer has not written yet exists only in the server's memory.
        await Cluster.Primary.RunAsync("ALTER SYSTEM SET wal_writer_delay = '10s'");
        await Cluster.Primary.RunAsync("SELECT pg_reload_conf()");
        await using var source = await matrix.ConnectAsync();
        var lost = LossesOf(source);
        using var session = source.BeginSession();
        string name;
        var attempts = 0;
        do
        {
            // A background process of the server may flush the commit before the kill. Nothing is lost then.
            (++attempts).ShouldBeLessThan(6, "nothing was lost: each commit had been flushed");
            await Cluster.Primary.RunAsync(Insert(NextName()));
            name = NextName();
            (await EventuallyAsync(() => SaveWithoutFlushAsync(source, name))).ShouldBe(1);
            await Cluster.Primary.KillAsync(Stop);
            await Cluster.Primary.StartAsync(Stop);
        }
        while (await Cluster.Primary.QueryAsync<long>(CountSql(name)) != 0);

        await Cluster.Primary.RunAsync("ALTER SYSTEM RESET wal_writer_delay");
        await Cluster.Primary.RunAsync("SELECT pg_reload_conf()");

        // Later WAL passes the position of what was lost.
        await Cluster.Primary.RunAsync("INSERT INTO items (name) SELECT 'later' FROM generate_series(1, 1000)");
        await Cluster.WaitForReplayAsync(Stop);

        // The loss is reported from the next probe on (docs/guarantees.md, limits). A replica may answer before that.
        await UntilAsync(async () =>
        {
            (await EventuallyAsync(() => CountAsync(source, name))).ShouldBe(0);
            return lost.Any(loss => loss.WasWritten);
        });
    }

    [Fact]
    public async Task A_promotion_is_followed_and_the_write_it_lost_is_reported()
    {
        await using var own = new MatrixCluster(way);
        await own.InitializeAsync();
        await using var source = await own.ConnectAsync();
        var lost = LossesOf(source);
        using var session = source.BeginSession();
        await Ways["an EF save"](source, "kept");
        await own.Cluster.WaitForReplayAsync(Stop);
        (await CountAsync(source, "kept")).ShouldBe(1);
        var replicas = own.Cluster.Replicas;
        foreach (var replica in replicas) await replica.StopReceivingAsync();
        await Ways["an EF save"](source, "lost");
        await own.Cluster.Primary.KillAsync(Stop);
        foreach (var replica in replicas) await replica.ReceiveAgainAsync();
        await own.PromoteAsync("pg-2");

        (await EventuallyAsync(() => CountAsync(source, "lost"))).ShouldBe(0);
        lost.ShouldContain(loss => loss.WasWritten);
        (await EventuallyAsync(() => CountAsync(source, "kept"))).ShouldBe(1);
        var reported = lost.Count;
        await EventuallyAsync(async () =>
        {
            await Ways["an EF save"](source, "after");
            return true;
        });
        (await EventuallyAsync(() => CountAsync(source, "after"))).ShouldBeGreaterThan(0);

        // A role that cannot read timelines finds the new one in the control file, from the next checkpoint on.
        await own.Cluster["pg-2"].RunAsync("CHECKPOINT");
        await own.Cluster.WaitForReplayAsync(Stop);
        await own.Cluster["pg-3"].RunAsync("CHECKPOINT");
        await UntilAsync(async () => (await EventuallyAsync(() => source.ReadAsync<int>("1"))).Port == own.Cluster["pg-3"].Port);
        lost.Count.ShouldBe(reported, "what was reported once is not reported again");
    }

    private static List<LostWrite> LossesOf(TidemarkDataSource source)
    {
        var losses = new List<LostWrite>();
        source.WriteLost += (_, lostWrite) => losses.Add(lostWrite);
        return losses;
    }

    private static async Task<int> SaveWithoutFlushAsync(TidemarkDataSource source, string name)
    {
        await using var context = MatrixCluster.CreateContext(source);
        await using var transaction = await context.Database.BeginTransactionAsync(Stop);
        await context.Database.ExecuteSqlRawAsync("SET LOCAL synchronous_commit = off", Stop);
        context.Add(new Item { Name = name });
        var saved = await context.SaveChangesAsync(Stop);
        await transaction.CommitAsync(Stop);
        return saved;
    }

    private static string Insert(string name) => $"INSERT INTO items (name) VALUES ('{name}')";

    private static string CountSql(string name) => $"SELECT count(*) FROM items WHERE name = '{name}'";

    private static async Task<long> CountAsync(TidemarkDataSource source, string name) =>
        (await source.ReadAsync<long>(CountSql(name))).Value;

    private static async Task<long> CountByEfAsync(TidemarkDataSource source, string name)
    {
        await using var context = MatrixCluster.CreateContext(source);
        return await context.Items.AsNoTracking().LongCountAsync(item => item.Name == name, Stop);
    }

    private static async Task SaveAsync(TidemarkDataSource source, string name)
    {
        await using var context = MatrixCluster.CreateContext(source);
        context.Add(new Item { Name = name });
        await context.SaveChangesAsync(Stop);
    }

    private static async Task InScopeAsync(Func<Task> write)
    {
        using var scope = new TransactionScope(TransactionScopeAsyncFlowOption.Enabled);
        await write();
        scope.Complete();
    }

    /// <summary>Retries an operation that may fail while a server is down, as an application would.</summary>
    private static async Task<T> EventuallyAsync<T>(Func<Task<T>> ask)
    {
        for (var watch = Stopwatch.StartNew(); ; await Task.Delay(20, Stop))
        {
            try
            {
                return await ask();
            }
            catch (Exception e) when (watch.Elapsed < Patience && IsOfAServerThatIsAway(e))
            {
                // The server rejected the operation, or the connection ended.
            }
        }
    }

    private static bool IsOfAServerThatIsAway(Exception? e) =>
        e is NpgsqlException or RoutingException or TimeoutException || (e?.InnerException is { } inner && IsOfAServerThatIsAway(inner));

    private static async Task UntilAsync(Func<Task<bool>> isSo)
    {
        for (var watch = Stopwatch.StartNew(); !await isSo();) watch.Elapsed.ShouldBeLessThan(Patience);
    }

    private string NextName() => $"{GetType().Name} {Interlocked.Increment(ref _names)} {Guid.NewGuid():N}";

    private async Task ReplayAsync(string replay)
    {
        var (first, second) = (Cluster["pg-2"], Cluster["pg-3"]);
        switch (replay)
        {
            case "paused on pg-2":
                await first.PauseReplayAsync(Stop);
                return;
            case "50 ms late":
                await first.DelayReplayAsync(TimeSpan.FromMilliseconds(50), Stop);
                await second.DelayReplayAsync(TimeSpan.FromMilliseconds(50), Stop);
                return;
            default:
                await first.ResumeReplayAsync(Stop);
                await first.DelayReplayAsync(TimeSpan.Zero, Stop);
                await second.DelayReplayAsync(TimeSpan.Zero, Stop);
                await Cluster.WaitForReplayAsync(Stop);
                return;
        }
    }

    private async Task RaiseAsync(int id, CancellationToken over)
    {
        await using var source = NpgsqlDataSource.Create(Cluster.Primary.ConnectionString);
        while (!over.IsCancellationRequested)
        {
            await using var command = source.CreateCommand($"UPDATE items SET name = name::int + 1 WHERE id = {id}");
            await command.ExecuteNonQueryAsync(CancellationToken.None);
        }
    }
}
