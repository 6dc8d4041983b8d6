using System.Diagnostics;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Tidemark;

/// <summary>
/// The session guarantee in numbers, compared with a random choice of replica for the same users. <c>TIDEMARK_FULL_FIGURES=1</c> runs the
/// published numbers.
/// </summary>
public sealed class SessionTests(LaggingCluster shared) : IClassFixture<LaggingCluster>
{
    private const int ReadsPerSession = 20;

    private static readonly bool IsFull = Environment.GetEnvironmentVariable("TIDEMARK_FULL_FIGURES") == "1";
    private static readonly int WritesReadBack = IsFull ? 2000 : 300;
    private static readonly int Sessions = IsFull ? 100 : 24;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private static ParallelOptions EightAtOnce => new() { MaxDegreeOfParallelism = 8, CancellationToken = Stop };

    private int PrimaryPort => shared.Cluster.Primary.Port;

    [Theory]
    [InlineData("commands")]
    [InlineData("EF")]
    public async Task Every_write_is_read_back_by_the_session_that_made_it(string by)
    {
        var (stale, onReplicas) = (0, 0);
        var watch = Stopwatch.StartNew();
        await Parallel.ForAsync(0, WritesReadBack, EightAtOnce, async (_, _) =>
        {
            using var session = shared.Source.BeginSession();
            var (isThere, port) = by == "EF" ? await WriteAndReadByEfAsync() : await WriteAndReadByCommandsAsync();
            if (!isThere) Interlocked.Increment(ref stale);
            if (port != PrimaryPort) Interlocked.Increment(ref onReplicas);
        });

        Print($"{WritesReadBack} writes read back by {by}: {stale} stale, {Share(onReplicas, WritesReadBack)} of the reads on replicas, {watch.Elapsed.TotalSeconds:0.0} s");
        stale.ShouldBe(0);
    }

    [Fact]
    public async Task Many_writes_are_missing_if_read_back_on_a_random_replica()
    {
        await using var replicas = new RandomReplicas(shared);
        var stale = 0;
        await Parallel.ForAsync(0, WritesReadBack, EightAtOnce, async (_, _) =>
        {
            await using var insert = shared.Source.CreateCommand("INSERT INTO items (name) VALUES ('random') RETURNING id");
            var id = (int)(await insert.ExecuteScalarAsync(Stop))!;
            if (await replicas.QueryAsync<long>($"SELECT count(*) FROM items WHERE id = {id}") == 0) Interlocked.Increment(ref stale);
        });

        Print($"{WritesReadBack} writes read back on a random replica: {stale} stale ({Share(stale, WritesReadBack)})");
        stale.ShouldBeGreaterThan(WritesReadBack / 2);
    }

    [Theory]
    [InlineData("commands", 1)]
    [InlineData("commands", 2)]
    [InlineData("EF", 1)]
    public async Task A_session_never_sees_a_counter_step_back(string by, int atOnce)
    {
        await using var counter = await RisingCounter.StartAsync(shared);
        var (back, notYetVisible, onReplicas) = (0, 0, 0);
        await Parallel.ForAsync(0, Sessions, EightAtOnce, async (_, _) =>
        {
            using var session = shared.Source.BeginSession();
            var last = 0;
            for (var read = 0; read < ReadsPerSession; read += atOnce)
            {
                // Concurrent reads need not include what the others observed. The next reads must include what all of them observed.
                var answers =
                    await Task.WhenAll(Enumerable.Range(0, atOnce).Select(_ => by == "EF" ? counter.ReadByEfAsync() : counter.ReadAsync()));
                foreach (var (value, port) in answers)
                {
                    // A replica shows a commit as soon as it has replayed the record. The primary shows it only when its backend has
                    // finished the commit. The commit in progress may therefore be missing there (docs/guarantees.md, visibility on the
                    // primary). There is one writer, so at most one commit is missing.
                    if (port == PrimaryPort && value == last - 1) Interlocked.Increment(ref notYetVisible);
                    else if (value < last) Interlocked.Increment(ref back);
                    if (port != PrimaryPort) Interlocked.Increment(ref onReplicas);
                }

                last = Math.Max(last, answers.Max(a => a.Value));
            }
        });

        Print($"{Sessions} sessions of {ReadsPerSession} reads by {by}, {atOnce} at once: {back} steps back, {notYetVisible} not visible yet on the primary, {Share(onReplicas, Sessions * ReadsPerSession)} on replicas");
        back.ShouldBe(0);
    }

    [Fact]
    public async Task On_replicas_chosen_at_random_the_counter_steps_back_often()
    {
        await using var counter = await RisingCounter.StartAsync(shared);
        await using var replicas = new RandomReplicas(shared);
        const int mostRounds = 40;
        var (back, rounds) = (0, 0);

        // The number depends on how fast the counter rises. A busy machine needs more rounds.
        while (back <= Sessions && rounds++ < mostRounds)
        {
            await Parallel.ForAsync(0, Sessions, EightAtOnce, async (_, _) =>
            {
                var last = 0;
                for (var read = 0; read < ReadsPerSession; read++)
                {
                    var value = await replicas.QueryAsync<int>(counter.Question);
                    if (value < last) Interlocked.Increment(ref back);
                    last = value;
                }
            });
        }

        Print($"{rounds} times {Sessions} sessions of {ReadsPerSession} reads on random replicas: {back} steps back");
        back.ShouldBeGreaterThan(Sessions);
    }

    private async Task<(bool IsThere, int Port)> WriteAndReadByCommandsAsync()
    {
        await using var insert = shared.Source.CreateCommand("INSERT INTO items (name) VALUES ('mine') RETURNING id");
        var id = (int)(await insert.ExecuteScalarAsync(Stop))!;
        var (count, port) = await shared.Source.ReadAsync<long>($"SELECT count(*) FROM items WHERE id = {id}");
        return (count == 1, port);
    }

    private async Task<(bool IsThere, int Port)> WriteAndReadByEfAsync()
    {
        var item = new Item { Name = "mine" };
        await using (var write = shared.CreateContext())
        {
            write.Add(item);
            await write.SaveChangesAsync(Stop);
        }

        // Returns one row whether or not the item exists, so that the server's port is always included.
        await using var read = shared.CreateContext();
        var answer = await read.Items.Where(i => i.Id == 1)
            .Select(i => new { Count = read.Items.Count(other => other.Id == item.Id), Port = StoreContext.ServerPort() })
                .SingleAsync(Stop);
        return (answer.Count == 1, answer.Port);
    }

    private static string Share(int part, int whole) => $"{100.0 * part / whole:0} %";

    private static void Print(string line) => TestContext.Current.TestOutputHelper!.WriteLine(line);

    /// <summary>An application without Tidemark: a pool for each replica, and a random choice.</summary>
    private sealed class RandomReplicas(StoreCluster store) : IAsyncDisposable
    {
        private readonly NpgsqlDataSource[] _sources =
            [.. store.Cluster.Replicas.Select(node => NpgsqlDataSource.Create(node.ConnectionString))];

        public async Task<T> QueryAsync<T>(string sql)
        {
            await using var command = _sources[Random.Shared.Next(_sources.Length)].CreateCommand(sql);
            return (T)(await command.ExecuteScalarAsync(Stop))!;
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var source in _sources) await source.DisposeAsync();
        }
    }

    /// <summary>A row that is continuously incremented by one until this is disposed.</summary>
    private sealed class RisingCounter : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        private readonly StoreCluster _store;
        private readonly int _id;
        private readonly Task _writer;

        private RisingCounter(StoreCluster store, int id)
        {
            (_store, _id) = (store, id);
            _writer = Task.Run(RaiseAsync);
        }

        public string Question => $"SELECT name::int FROM items WHERE id = {_id}";

        public static async Task<RisingCounter> StartAsync(StoreCluster store) => new(store, await store.Cluster.MakeItemAsync("0"));

        public Task<(int Value, int Port)> ReadAsync() => _store.Source.ReadAsync<int>(Question);

        public async Task<(int Value, int Port)> ReadByEfAsync()
        {
            await using var context = _store.CreateContext();
            var answer = await context.Items.Where(i => i.Id == _id)
                .Select(i => new { Value = Convert.ToInt32(i.Name), Port = StoreContext.ServerPort() }).SingleAsync(Stop);
            return (answer.Value, answer.Port);
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _writer;
            _stop.Dispose();
        }

        private async Task RaiseAsync()
        {
            await using var source = NpgsqlDataSource.Create(_store.Cluster.Primary.ConnectionString);
            while (!_stop.IsCancellationRequested)
            {
                await using var command = source.CreateCommand($"UPDATE items SET name = name::int + 1 WHERE id = {_id}");
                await command.ExecuteNonQueryAsync();
            }
        }
    }
}
