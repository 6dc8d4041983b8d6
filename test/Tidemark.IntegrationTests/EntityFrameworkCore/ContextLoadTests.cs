using System.Collections.Concurrent;
using System.Diagnostics;
using Tidemark.Testing;
using Tidemark.Verification;

namespace Tidemark;

/// <summary>
/// Six workers use EF Core with contexts of their own. Meanwhile replicas that are 5, 50 and 200 ms behind are repeatedly stopped, killed
/// and restarted. The checker evaluates what the workers read. <c>TIDEMARK_FULL_FIGURES=1</c> runs one minute.
/// </summary>
public sealed class ContextLoadTests : IAsyncLifetime
{
    private const int Workers = 6;
    private const int OperationsPerSession = 20;
    private const double WriteShare = 0.25;

    private static readonly TimeSpan Duration =
        TimeSpan.FromSeconds(Environment.GetEnvironmentVariable("TIDEMARK_FULL_FIGURES") == "1" ? 60 : 7);

    private readonly LaggingCluster _store = new();
    private readonly ConcurrentQueue<string> _failures = new();
    private readonly Stopwatch _clock = new();
    private int _sessions;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private bool IsOver => _clock.Elapsed >= Duration || Stop.IsCancellationRequested;

    public ValueTask InitializeAsync() => _store.InitializeAsync();

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Fact]
    public async Task Contexts_under_load_lose_no_read_or_connection_while_replicas_fail_and_restart()
    {
        using var busy = new BusyConnections();
        await using (await _store.Source.OpenReadConnectionAsync(cancellationToken: Stop)) busy.Count().ShouldBe(1);
        await using var recorder = await HistoryRecorder.StartAsync(_store.Cluster, cancellationToken: Stop);
        recorder.Watch(_store.Source);

        _clock.Start();
        var working = Task.WhenAll(Enumerable.Range(0, Workers).Select(worker => Task.Run(() => WorkAsync(worker, recorder), Stop)));
        var ends = await DisturbAsync();
        await working;
        var history = await recorder.CompleteAsync(Stop);
        var verdict = HistoryChecker.Check(history);
        var figures = new HistoryFigures(history);
        TestContext.Current.TestOutputHelper!.WriteLine(
            $"{verdict.Operations} operations in {_clock.Elapsed.TotalSeconds:0.0} s, {_sessions} sessions, {ends} ends of a replica; {verdict.Reads} reads, {figures.ShareOnReplicas:P1} of them on replicas "
            + $"({string.Join(", ", figures.ReadsByNode.Select(n => $"{n.Key} {n.Value}"))}); {figures.Writes} writes, {figures.FailedWrites} refused, {figures.UnknownWrites} unknown; "
            + $"reads p50 {figures.ReadLatency.P50Milliseconds:0.0} ms, p99 {figures.ReadLatency.P99Milliseconds:0.0} ms; writes p50 {figures.WriteLatency.P50Milliseconds:0.0} ms, p99 {figures.WriteLatency.P99Milliseconds:0.0} ms; "
            + $"{_failures.Count} operations failed, {verdict.ViolationCount} violations, {busy.Count()} connections busy");

        MidAnswer.ShouldBeAll(_failures);
        verdict.Violations.ShouldBeEmpty();
        verdict.LostWrites.ShouldBeEmpty();
        figures.OnReplicas.ShouldBeGreaterThan(verdict.Reads / 10);
        ends.ShouldBeGreaterThan(1);
        await Task.WhenAll(_store.Cluster.Nodes.Select(node => StoreCluster.UntilAsync(_store.Source, now => now[node.Name].IsServing)));
        (await Poll.UntilAsync(() => new(busy.Count() == 0), TimeSpan.FromSeconds(5), TimeProvider.System, Stop))
            .ShouldBeTrue($"{busy.Count()} connections were not returned to a pool");
        _store.Source.Cluster.ReadsInFlight.ShouldBe(0);
    }

    // One session after another. Every second session belongs to a single context.
    private async Task WorkAsync(int worker, HistoryRecorder recorder)
    {
        var chance = new Chance(worker * 1_000_003L);
        while (!IsOver)
        {
            var isShared = Interlocked.Increment(ref _sessions) % 2 == 0;
            var client = recorder.AddClient();
            using var session = isShared ? _store.Source.BeginSession() : null;
            await using var first = new RegisterContext(_store.Source, recorder.TableName);
            await using var second = new RegisterContext(_store.Source, recorder.TableName);
            var last = Draw(chance, recorder.Keys);
            for (var i = 0; i < OperationsPerSession && !IsOver; i++)
            {
                var context = isShared && i % 2 == 1 ? second : first;
                try
                {
                    if (chance.Next() < WriteShare) await WriteAsync(client, context, last = Draw(chance, recorder.Keys), chance);
                    else await ReadAsync(client, context, [.. new HashSet<int> { last, Draw(chance, recorder.Keys) }],
                        isAsync: chance.Next() < 0.5);
                }
                catch (Exception failure)
                {
                    _failures.Enqueue(failure.ToString());
                }
            }
        }
    }

    private static Task<RecordedAnswer> ReadAsync(RecordedClient client, RegisterContext context, int[] keys, bool isAsync) =>
        client.ReadAsync(stop => context.ReadAsync(keys, isAsync, stop), Consistency.Session, CancellationToken.None);

    private static Task<long> WriteAsync(RecordedClient client, RegisterContext context, int key, Chance chance)
    {
        var (way, isAsync) = (Draw(chance, 3), chance.Next() < 0.5);
        return client.WriteAsync(
            key,
            (value, stop) => way switch
            {
                0 => context.SaveAsync(key, value, isAsync, stop),
                1 => context.UpdateAsync(key, value, isAsync, stop),
                _ => context.TransactAsync(key, value, isAsync, stop),
            },
            CancellationToken.None);
    }

    /// <summary>
    /// Repeatedly kills one replica, stops another, and starts both. Continues with the next two once both serve again. Returns how often a
    /// replica ended.
    /// </summary>
    private async Task<int> DisturbAsync()
    {
        var replicas = _store.Cluster.Replicas;
        var ends = 0;
        while (!IsOver)
        {
            var (killed, stopped) = (replicas[ends % replicas.Count], replicas[(ends + 1) % replicas.Count]);
            await killed.KillAsync(Stop);
            await stopped.StopAsync(ends % 4 == 0 ? StopMode.Fast : StopMode.Immediate, Stop);
            ends += 2;
            await Task.WhenAll(killed.StartAsync(Stop), stopped.StartAsync(Stop));
            await StoreCluster.UntilAsync(_store.Source, now => now[killed.Name].IsServing && now[stopped.Name].IsServing);
        }

        return ends;
    }

    private static int Draw(Chance chance, int count) => (int)(chance.Next() * count);
}
