using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace Tidemark.Verification;

/// <summary>
/// Runs sessions that write and read the rows of a <see cref="HistoryRecorder"/> through a router and hand over to each other, while faults
/// may be injected into the cluster. Checks the recorded history at the end.
/// </summary>
public sealed class HistoryWorkload
{
    private const int MostFailuresQuoted = 10;
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromMilliseconds(250);

    private readonly HistoryRecorder _recorder;
    private readonly WorkloadRouter _router;
    private readonly HistoryWorkloadOptions _options;
    private readonly TimeProvider _time;
    private readonly long _start;
    private readonly ConcurrentQueue<RecordedHandOver> _givenAway = new();
    private readonly ConcurrentQueue<string> _failures = new();
    private long _operations;
    private long _failedReads;
    private int _sessions;
    private int _handOvers;
    private int _losses;

    private HistoryWorkload(HistoryRecorder recorder, WorkloadRouter router, HistoryWorkloadOptions options, TimeProvider time) =>
        (_recorder, _router, _options, _time, _start) = (recorder, router, options, time, time.GetTimestamp());

    /// <summary>
    /// Runs sessions for the duration that the options specify, then checks the recorded history. The recorder is complete afterwards.
    /// </summary>
    /// <param name="recorder">A recorder that has recorded nothing yet.</param>
    /// <param name="router">The router through which the sessions access the cluster.</param>
    /// <param name="options">The options of the sessions.</param>
    /// <param name="cancellationToken">Cancels the run. Each session completes its current operation first.</param>
    /// <exception cref="ArgumentException">The options are invalid. The message lists all errors.</exception>
    /// <exception cref="HistoryException">The WAL is incomplete, or contradicts what was recorded.</exception>
    public static async Task<HistoryReport> RunAsync(
        HistoryRecorder recorder, WorkloadRouter router, HistoryWorkloadOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(recorder);
        ArgumentNullException.ThrowIfNull(router);
        ArgumentNullException.ThrowIfNull(options);
        if (options.FindErrors(recorder.Keys).ToList() is { Count: > 0 } errors)
            throw new ArgumentException(string.Join('\n', errors), nameof(options));
        router.Begin(recorder);
        var workload = new HistoryWorkload(recorder, router, options, recorder.Time);
        var elapsed = await workload.RunAsync(cancellationToken).ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        return workload.Report(await recorder.CompleteAsync(cancellationToken).ConfigureAwait(false), elapsed);
    }

    private async Task<TimeSpan> RunAsync(CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var progress = ReportAsync(over.Token);
        try
        {
            await Task.WhenAll(Enumerable.Range(0, _options.Sessions)
                .Select(lane => Task.Run(() => WorkAsync(lane, cancellationToken), CancellationToken.None))).ConfigureAwait(false);
            return _time.GetElapsedTime(_start);
        }
        finally
        {
            await over.CancelAsync().ConfigureAwait(false);
            await progress.ConfigureAwait(false);
        }
    }

    // Runs one session after the other.
    private async Task WorkAsync(int lane, CancellationToken cancellationToken)
    {
        var chance = new Chance(_options.Seed + (lane * 1_000_003L));
        while (!IsOver(cancellationToken)) await SessionAsync(chance, cancellationToken).ConfigureAwait(false);
    }

    private bool IsOver(CancellationToken cancellationToken) =>
        cancellationToken.IsCancellationRequested || _time.GetElapsedTime(_start) >= _options.Duration;

    private async Task SessionAsync(Chance chance, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _sessions);
        var client = _recorder.AddClient();
        var goesOn = _givenAway.TryDequeue(out var handOver);
        using var session = _router.BeginSession(handOver?.Token);
        if (goesOn)
        {
            client.Take(handOver!);
            Interlocked.Increment(ref _handOvers);
        }

        var level = _options.Levels[Draw(chance, _options.Levels.Count)];
        var last = Draw(chance, _recorder.Keys);
        for (var i = 0; i < _options.OperationsPerSession && !IsOver(cancellationToken); i++)
        {
            if (chance.Next() < _options.WriteShare) await WriteAsync(client, last = Draw(chance, _recorder.Keys)).ConfigureAwait(false);
            else await ReadAsync(client, Keys(chance, last), level).ConfigureAwait(false);
            Interlocked.Increment(ref _operations);
        }

        if (chance.Next() < _options.HandOverShare) await GiveAsync(client).ConfigureAwait(false);
        Interlocked.Add(ref _losses, client.Losses);
    }

    [SuppressMessage("Design", "CA1031", Justification = "The client has recorded the outcome. The session continues after any failure.")]
    private async Task WriteAsync(RecordedClient client, int key)
    {
        try
        {
            var command = _router.CreateWrite();
            await using (command.ConfigureAwait(false)) await client.WriteAsync(key, command, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception)
        {
            await PauseAsync().ConfigureAwait(false);
        }
    }

    [SuppressMessage("Design", "CA1031", Justification = "A failed read is counted and listed, and the session continues.")]
    private async Task ReadAsync(RecordedClient client, int[] keys, Consistency level)
    {
        try
        {
            var command = _router.CreateRead(level);
            await using (command.ConfigureAwait(false)) await client.ReadAsync(keys, command, level, CancellationToken.None)
                .ConfigureAwait(false);
        }
        catch (Exception failure)
        {
            Interlocked.Increment(ref _failedReads);
            if (_failures.Count < MostFailuresQuoted) _failures.Enqueue(failure.Message);
            await PauseAsync().ConfigureAwait(false);
        }
    }

    [SuppressMessage("Design", "CA1031", Justification = "A token that cannot be captured, as without a primary, is not handed over.")]
    private async Task GiveAsync(RecordedClient client)
    {
        try
        {
            _givenAway.Enqueue(await client.GiveAsync(_router.Capture, CancellationToken.None).ConfigureAwait(false));
        }
        catch (Exception)
        {
            await PauseAsync().ConfigureAwait(false);
        }
    }

    private Task PauseAsync() => Task.Delay(_options.PauseAfterFailure, _time, CancellationToken.None);

    // Half of the reads include the row that the session wrote last.
    private int[] Keys(Chance chance, int last)
    {
        var count = 1 + Draw(chance, _options.KeysPerRead);
        var keys = new HashSet<int>();
        if (chance.Next() < 0.5) keys.Add(last);
        while (keys.Count < count) keys.Add(Draw(chance, _recorder.Keys));
        return [.. keys];
    }

    private static int Draw(Chance chance, int count) => (int)(chance.Next() * count);

    private async Task ReportAsync(CancellationToken over)
    {
        if (_options.Progress is not { } progress) return;
        using var timer = new PeriodicTimer(ProgressInterval, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(over).ConfigureAwait(false))
                progress.Report(
                    new HistoryWorkloadProgress(_time.GetElapsedTime(_start), Interlocked.Read(ref _operations),
                    Interlocked.Read(ref _failedReads)));
        }
        catch (OperationCanceledException)
        {
        }
    }

    private HistoryReport Report(History history, TimeSpan elapsed)
    {
        var verdict = HistoryChecker.Check(history);
        var figures = new HistoryFigures(history);
        return new HistoryReport
        {
            Router = _router.Name,
            Levels = [.. _options.Levels.Select(level => level.ToString())],
            Seconds = elapsed.TotalSeconds,
            IsClean = verdict.IsClean,
            Violations = Enum.GetValues<ViolationKind>().Where(kind => verdict.Count(kind) > 0)
                .ToDictionary(kind => kind.ToString(), verdict.Count),
            Examples = [.. verdict.Violations.Take(MostFailuresQuoted).Select(violation => violation.Text)],
            Sessions = _sessions,
            HandOvers = _handOvers,
            ReadsByNode = figures.ReadsByNode,
            Reads = verdict.Reads,
            ReadsOnReplicas = figures.ShareOnReplicas,
            Writes = figures.Writes,
            FailedReads = _failedReads,
            FailedWrites = figures.FailedWrites,
            UnknownWrites = figures.UnknownWrites,
            Failures = [.. _failures],
            LostWrites = verdict.LostWrites.Length,
            LossesReported = _losses,
            VisibilityOrder = verdict.VisibilityOrder,
            ReadLatency = figures.ReadLatency,
            WriteLatency = figures.WriteLatency,
            History = history,
            Verdict = verdict,
        };
    }
}
