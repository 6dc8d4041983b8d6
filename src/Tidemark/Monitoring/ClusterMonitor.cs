using System.Collections.Immutable;
using Microsoft.Extensions.Logging;

namespace Tidemark;

/// <summary>Asks one node. A failure is an answer too: the task never faults, and ends soon after the token is cancelled.</summary>
internal delegate Task<ProbeAnswer> AskNode(int index, CancellationToken cancellationToken);

/// <summary>
/// The one loop that probes all nodes and the only writer of snapshots. A node that hangs delays no other node, and no reader ever waits
/// for the loop once it knows enough. Must never end before it is disposed of, and never throw into a user's query.
/// </summary>
internal sealed class ClusterMonitor : IAsyncDisposable
{
    private const int MaxGraces = 4;

    // Positions that the traffic shows make a snapshot of their own at most so often.
    private static readonly TimeSpan NotePause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan MinLateness = TimeSpan.FromMilliseconds(20);

    private readonly AskNode _ask;
    private readonly TimeSpan _interval;
    private readonly TimeSpan _timeout;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Slot[] _slots;
#pragma warning disable CA2213 // Neither has a timer or handle to free, and whoever comes after the end may still cancel the one and wait for the other.
    private readonly CancellationTokenSource _stop = new();
    private readonly ManualResetEventSlim _firstRoundEvent = new();
#pragma warning restore CA2213
    private readonly TaskCreationOptions _resumption;
    private readonly TaskCompletionSource _firstRound;
    private readonly Lock _requests = new();
    private TaskCompletionSource _wake;
    private ClusterSnapshot _snapshot;
    private long _probesSent;
    private volatile bool _isStopping;
    private bool _isOver;
    private long _notesTakenAt;
    private Task _loop = Task.CompletedTask;

    /// <param name="names">The nodes.</param>
    /// <param name="ask">Asks one.</param>
    /// <param name="interval">How often each is asked.</param>
    /// <param name="timeout">How long an answer may take.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Told of changes.</param>
    /// <param name="resumption">How those who wait go on: on the pool, so that nobody's code runs within the loop; a simulation has one thread for all.</param>
    /// <param name="systemIdentifier">The identity of the cluster; zero: found out.</param>
    public ClusterMonitor(
        IReadOnlyList<string> names,
        AskNode ask,
        TimeSpan interval,
        TimeSpan timeout,
        TimeProvider time,
        ILogger logger,
        TaskCreationOptions resumption = TaskCreationOptions.RunContinuationsAsynchronously,
        ulong systemIdentifier = 0)
    {
        _resumption = resumption;
        _firstRound = new TaskCompletionSource(resumption);
        _wake = new TaskCompletionSource(resumption);
        _ask = ask;
        _interval = interval;
        _timeout = timeout;
        _time = time;
        _logger = logger;
        _slots = [.. names.Select(_ => new Slot())];
        _snapshot = ClusterSnapshot.Unprobed(names, systemIdentifier);
    }

    /// <summary>The latest picture; one volatile read.</summary>
    public ClusterSnapshot Snapshot => Volatile.Read(ref _snapshot);

    /// <summary>How many probes were sent so far. What was open at that count is older than any probe with a greater number.</summary>
    public long ProbesSent => Volatile.Read(ref _probesSent);

    public void Start()
    {
        // The loop outlives whoever builds the data source: their trace and their session are none of its own.
        using var noFlow = ExecutionContext.IsFlowSuppressed() ? default : ExecutionContext.SuppressFlow();
        _loop = RunAsync();
    }

    /// <summary>Waits until every node has been asked once; at most the probe time-out.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled, before or meanwhile.</exception>
    public Task FirstRoundAsync(CancellationToken cancellationToken)
    {
        if (_firstRound.Task.IsCompleted) return Task.CompletedTask;

        // As Npgsql does with a token that is cancelled from the start, and not with a TaskCanceledException.
        cancellationToken.ThrowIfCancellationRequested();
        return _firstRound.Task.WaitAsync(cancellationToken);
    }

    /// <inheritdoc cref="FirstRoundAsync"/>
    public void FirstRound() => _firstRoundEvent.Wait();

    /// <summary>Something outside went wrong with the node: ask it now rather than at its turn.</summary>
    public void Suspect(int index) => Request(index, waiter: null);

    /// <summary>
    /// The traffic itself has shown something of a node. What moves it on becomes part of the snapshot soon, by the loop: the latest wins. What does not fit
    /// is a reason to ask the node.
    /// </summary>
    public void Note(int index, in SampledPosition sample)
    {
        var node = Snapshot.Nodes[index];
        if (sample.Epoch.IsUnknown) return;
        if (sample.Epoch == node.Epoch
            ? sample.Position <= node.Position && sample.IsInRecovery == (node.Claim == NodeClaim.Replica)
            : node.HasSeveralServers && node.HasShown(sample.Epoch)) return;
        TaskCompletionSource wake;
        lock (_requests)
        {
            var slot = _slots[index];
            if (_isOver) return;
            var isFirst = slot.Note is null;

            // What does not fit is rarer than what does.
            if (slot.Note is not { } noted || noted.Epoch == node.Epoch || sample.Epoch != node.Epoch) slot.Note = sample;
            if (!isFirst) return;
            wake = _wake;
        }

        wake.TrySetResult();
    }

    /// <summary>The state of a node by a probe that is sent after this call; one probe serves all who wait.</summary>
    /// <exception cref="ObjectDisposedException">The monitor ended before the answer.</exception>
    public Task<NodeState> SampleAsync(int index, CancellationToken cancellationToken)
    {
        var waiter = new TaskCompletionSource<NodeState>(_resumption);
        Request(index, waiter);
        return waiter.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Ends the loop without waiting for its last probes.</summary>
    public void Stop()
    {
        TaskCompletionSource wake;
        lock (_requests) (_isStopping, wake) = (true, _wake);
        wake.TrySetResult();
        _stop.Cancel();
    }

    public async ValueTask DisposeAsync()
    {
        Stop();
        await _loop.ConfigureAwait(false);
    }

    private void Request(int index, TaskCompletionSource<NodeState>? waiter)
    {
        TaskCompletionSource wake;
        lock (_requests)
        {
            if (_isOver)
            {
                waiter?.SetException(Ended());
                return;
            }

            _slots[index].IsWanted = true;
            if (waiter is not null) _slots[index].Waiting = _slots[index].Waiting.Add(waiter);
            wake = _wake;
        }

        wake.TrySetResult();
    }

    private async Task RunAsync()
    {
        while (!_isStopping)
        {
            try
            {
                var next = StartDueProbes();
                await WaitAsync(next).ConfigureAwait(false);
                await TakeAnswersAsync().ConfigureAwait(false);
                TakeNotes();
            }
            catch (OperationCanceledException) when (_isStopping)
            {
            }
#pragma warning disable CA1031 // The loop is the cluster's eyes: an error in one round must not end it, and is logged.
            catch (Exception e)
#pragma warning restore CA1031
            {
                Try(() => Log.MonitorRoundFailed(_logger, e));
                await Task.Delay(_interval, _time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        ReleaseEveryone();
        await Task.WhenAll(_slots.Select(s => (Task?)s.Probe ?? Task.CompletedTask)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>Sends what is due and says how long until something else will be.</summary>
    private TimeSpan StartDueProbes()
    {
        var wait = _interval;
        for (var index = 0; index < _slots.Length; index++)
        {
            var slot = _slots[index];
            var elapsed = _time.GetElapsedTime(slot.SentAt);
            if (slot.Probe is not null)
            {
                // Being overdue is an answer. The probe itself goes on: a connection that takes long to open is open for the next one.
                if (slot.IsOverdue) Serve(slot, Snapshot.Nodes[index]);
                else wait = Min(wait, _timeout + slot.Grace - elapsed);
                continue;
            }

            var due = slot.Number == 0 ? TimeSpan.Zero : _interval - elapsed;
            if (!slot.IsWanted && due > TimeSpan.Zero)
            {
                wait = Min(wait, due);
                continue;
            }

            Send(index, slot);
            wait = Min(wait, _timeout);
        }

        lock (_requests)
        {
            if (_slots.Any(slot => slot.Note is not null)) wait = Min(wait, NotePause - _time.GetElapsedTime(_notesTakenAt));
        }

        return wait > TimeSpan.Zero ? wait : TimeSpan.Zero;
    }

    private void TakeNotes()
    {
        if (_time.GetElapsedTime(_notesTakenAt) < NotePause || _isStopping) return;
        var before = Snapshot;
        var after = before;
        for (var index = 0; index < _slots.Length; index++)
        {
            SampledPosition sample;
            lock (_requests)
            {
                if (_slots[index].Note is not { } note) continue;
                (sample, _slots[index].Note) = (note, null);
            }

            after = SnapshotRules.With(after, index, sample, ProbesSent, _time.GetTimestamp(), _time.TimestampFrequency, out var isNews);
            if (isNews) Suspect(index);
        }

        if (ReferenceEquals(after, before)) return;
        _notesTakenAt = _time.GetTimestamp();
        Volatile.Write(ref _snapshot, after);
        Try(() => SnapshotLog.Report(_logger, before, after));
    }

    private void Send(int index, Slot slot)
    {
        lock (_requests)
        {
            slot.IsWanted = false;
            slot.Served = slot.Waiting;
            slot.Waiting = [];
        }

        slot.Number = Interlocked.Increment(ref _probesSent);
        slot.SentAt = _time.GetTimestamp();
        slot.Grace = TimeSpan.Zero;
        slot.IsOverdue = false;
        slot.Probe = AskAsync(index);
    }

    private async Task<ProbeAnswer> AskAsync(int index)
    {
        try
        {
            return await _ask(index, _stop.Token).ConfigureAwait(false);
        }
#pragma warning disable CA1031 // Whatever escapes a probe is an answer too, or those who wait for it would wait for ever.
        catch (Exception e)
#pragma warning restore CA1031
        {
            return ProbeAnswer.Failed(NodeProbe.Describe(e));
        }
    }

    private async Task WaitAsync(TimeSpan wait)
    {
        TaskCompletionSource wake;
        lock (_requests)
        {
            if (_wake.Task.IsCompleted) _wake = new TaskCompletionSource(_resumption);
            if (_isStopping || _slots.Any(s => s.IsWanted && s.Probe is null)) return;
            wake = _wake;
        }

        // Timers take whole milliseconds and cut off the rest: the loop would spin through the last one.
        var start = _time.GetTimestamp();
        var whole = TimeSpan.FromMilliseconds(Math.Ceiling(wait.TotalMilliseconds));
        using (_time.CreateTimer(static wake => ((TaskCompletionSource)wake!).TrySetResult(), wake, whole, Timeout.InfiniteTimeSpan))
            await Task.WhenAny([wake.Task, .. _slots.Where(s => s.Probe is not null).Select(s => s.Probe!)]).ConfigureAwait(false);
        GrantLateness(_time.GetElapsedTime(start) - wait);
    }

    /// <summary>
    /// When this process itself was held up (a busy machine, a pause of the collector), so were the answers: they are given the time that the loop came
    /// late, up to a limit. Otherwise every node at once would look dead for a moment.
    /// </summary>
    private void GrantLateness(TimeSpan lateness)
    {
        if (lateness < MinLateness) return;
        foreach (var slot in _slots) slot.Grace = Min(slot.Grace + lateness, _timeout * MaxGraces);
    }

    private async Task TakeAnswersAsync()
    {
        for (var index = 0; index < _slots.Length; index++)
        {
            var slot = _slots[index];
            if (slot.Probe is null || _isStopping) continue;
            if (slot.Probe.IsCompleted)
            {
                var answered = slot.Probe;
                slot.Probe = null;
                var answer = await answered.ConfigureAwait(false);

                // What comes too late describes a moment long gone; the next probe is due at once.
                if (!slot.IsOverdue) Publish(index, slot, answer);
            }
            else if (!slot.IsOverdue && _time.GetElapsedTime(slot.SentAt) >= _timeout + slot.Grace)
            {
                slot.IsOverdue = true;
                Publish(index, slot, ProbeAnswer.Failed($"no answer within {_timeout.TotalMilliseconds:0} ms"));
            }
        }
    }

    private void Publish(int index, Slot slot, ProbeAnswer answer)
    {
        var before = Snapshot;
        var after = SnapshotRules.After(before, index, answer, slot.Number, slot.SentAt, _time.TimestampFrequency, _time.GetTimestamp());
        Volatile.Write(ref _snapshot, after);
        if (after.IsComplete) EndFirstRound();
        foreach (var waiter in slot.Served) waiter.TrySetResult(after.Nodes[index]);
        slot.Served = [];
        Try(() => SnapshotLog.Report(_logger, before, after));
    }

    /// <summary>Nobody waits for a node that does not answer.</summary>
    private void Serve(Slot slot, NodeState state)
    {
        ImmutableList<TaskCompletionSource<NodeState>> waiting;
        lock (_requests)
        {
            waiting = slot.Waiting;
            slot.Waiting = [];
        }

        foreach (var waiter in waiting) waiter.TrySetResult(state);
    }

    private void ReleaseEveryone()
    {
        EndFirstRound();
        lock (_requests)
        {
            _isOver = true;
            foreach (var slot in _slots)
                foreach (var waiter in slot.Waiting.AddRange(slot.Served))
                    waiter.TrySetException(Ended());
        }
    }

    private void EndFirstRound()
    {
        _firstRoundEvent.Set();
        _firstRound.TrySetResult();
    }

    private static ObjectDisposedException Ended() => new(nameof(TidemarkDataSource));

    /// <summary>Logs. A logger that throws costs its line; it must not cost the cluster its eyes.</summary>
    private static void Try(Action log)
    {
        try
        {
            log();
        }
#pragma warning disable CA1031 // There is nowhere left to report it to.
        catch (Exception)
#pragma warning restore CA1031
        {
        }
    }

    private static TimeSpan Min(TimeSpan one, TimeSpan other) => one < other ? one : other;

    /// <summary>The one probe of a node that may be under way, and who waits for the next.</summary>
    private sealed class Slot
    {
        public Task<ProbeAnswer>? Probe;
        public long Number;
        public long SentAt;
        public TimeSpan Grace;
        public bool IsOverdue;
        public bool IsWanted;
        public SampledPosition? Note;
        public ImmutableList<TaskCompletionSource<NodeState>> Waiting = [];
        public ImmutableList<TaskCompletionSource<NodeState>> Served = [];
    }
}
