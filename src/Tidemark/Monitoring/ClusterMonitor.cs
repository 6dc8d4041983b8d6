using Microsoft.Extensions.Logging;

namespace Tidemark;

/// <summary>
/// Probes all nodes and is the only writer of snapshots. Each synchronous step processes the results that have arrived, sends the probes
/// that are due, and returns the time until the next step is due. A <see cref="MonitorDriver"/> runs the steps. A node that hangs does not
/// delay other nodes, and readers do not wait for a probe once enough is known. The monitor runs until it is disposed and never throws into
/// a user's query.
/// </summary>
internal sealed class ClusterMonitor : IAsyncDisposable
{
    private const int MaxGraces = 4;

    // Minimum time between snapshots that are published because of positions observed in traffic.
    private static readonly TimeSpan NotePause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan MinLateness = TimeSpan.FromMilliseconds(20);

    private readonly TimeSpan _interval;
    private readonly TimeSpan _timeout;
    private readonly TimeSpan _firstRoundTimeout;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly MonitorDriver _driver;
    private readonly Slot[] _slots;
#pragma warning disable CA2213 // It has no timer or handle to free, and can be cancelled again after the monitor has ended.
    private readonly CancellationTokenSource _stop = new();
#pragma warning restore CA2213
    private readonly TaskCreationOptions _resumption;
    private readonly TaskCompletionSource _firstRound;
    private readonly Lock _requests = new();
    private ClusterSnapshot _snapshot;
    private long _probesSent;
    private long _startedAt;
    private long _nextStepAt;
    private long _notesTakenAt;
    private volatile bool _isStopping;
    private bool _isOver;

    /// <summary>Creates a monitor that runs on its own thread.</summary>
    /// <param name="names">The names of the nodes.</param>
    /// <param name="senders">The probe sender of each node, owned by the caller.</param>
    /// <param name="interval">Interval between probes of a node.</param>
    /// <param name="timeout">Maximum time for a response to a probe.</param>
    /// <param name="firstRoundTimeout">Maximum time that callers wait at startup while no primary has been found.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Logs changes of state.</param>
    /// <param name="systemIdentifier">The system identifier of the cluster, or 0 to detect it.</param>
    public ClusterMonitor(
        IReadOnlyList<string> names,
        IReadOnlyList<ProbeSender> senders,
        TimeSpan interval,
        TimeSpan timeout,
        TimeSpan firstRoundTimeout,
        TimeProvider time,
        ILogger logger,
        ulong systemIdentifier)
        : this(
            names, interval, timeout, firstRoundTimeout, time, new DeferredLogger(logger),
                TaskCreationOptions.RunContinuationsAsynchronously,
            new MonitorThread(time), systemIdentifier)
    {
        for (var index = 0; index < _slots.Length; index++) Attach(index, senders[index]);
    }

    /// <summary>Creates a monitor without its own thread, which probes nodes through a delegate.</summary>
    /// <param name="names">The names of the nodes.</param>
    /// <param name="ask">Probes one node.</param>
    /// <param name="interval">Interval between probes of a node.</param>
    /// <param name="timeout">Maximum time for a response to a probe.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Logs changes of state.</param>
    /// <param name="resumption">
    /// How waiting callers resume: on the thread pool, or inside the step for a simulation, which has a single thread.
    /// </param>
    /// <param name="systemIdentifier">The system identifier of the cluster, or 0 to detect it.</param>
    public ClusterMonitor(
        IReadOnlyList<string> names,
        ProbeNode ask,
        TimeSpan interval,
        TimeSpan timeout,
        TimeProvider time,
        ILogger logger,
        TaskCreationOptions resumption = TaskCreationOptions.RunContinuationsAsynchronously,
        ulong systemIdentifier = 0)
        : this(
            names, interval, timeout, timeout * MaxGraces, time, logger, resumption,
            new MonitorFlow(time, isInline: resumption == TaskCreationOptions.None), systemIdentifier)
    {
        for (var index = 0; index < _slots.Length; index++) Attach(index, new DelegatedProbes(ask, index, time, _stop.Token));
    }

    private ClusterMonitor(
        IReadOnlyList<string> names,
        TimeSpan interval,
        TimeSpan timeout,
        TimeSpan firstRoundTimeout,
        TimeProvider time,
        ILogger logger,
        TaskCreationOptions resumption,
        MonitorDriver driver,
        ulong systemIdentifier)
    {
        _interval = interval;
        _timeout = timeout;
        _firstRoundTimeout = firstRoundTimeout;
        _time = time;
        _logger = logger;
        _resumption = resumption;
        _driver = driver;
        _firstRound = new TaskCompletionSource(resumption);
        _slots = [.. names.Select(_ => new Slot())];
        _snapshot = ClusterSnapshot.Unprobed(names, systemIdentifier);
    }

    /// <summary>The latest snapshot. Reading it is one volatile read.</summary>
    public ClusterSnapshot Snapshot => Volatile.Read(ref _snapshot);

    /// <summary>
    /// Number of probes sent so far. A connection that was open at this count is older than every probe with a greater number.
    /// </summary>
    public long ProbesSent => Volatile.Read(ref _probesSent);

    public void Start()
    {
        _startedAt = _nextStepAt = _time.GetTimestamp();
        _driver.Start(Step);
    }

    /// <summary>
    /// Waits until every node has responded or failed. Once the probe timeout has passed, waits only until a primary is found. Waits at
    /// most for the connect timeout.
    /// </summary>
    /// <exception cref="OperationCanceledException">The token was cancelled before or during the wait.</exception>
    public Task FirstRoundAsync(CancellationToken cancellationToken)
    {
        if (_firstRound.Task.IsCompleted) return Task.CompletedTask;

        // Npgsql also throws this for a token that is already cancelled, rather than a TaskCanceledException.
        cancellationToken.ThrowIfCancellationRequested();
        return _firstRound.Task.WaitAsync(cancellationToken);
    }

    /// <inheritdoc cref="FirstRoundAsync"/>
    public void FirstRound()
    {
        if (!_firstRound.Task.IsCompleted) Block(_firstRound.Task);
    }

    /// <summary>Requests an immediate probe of a node after a failure outside the monitor.</summary>
    public void Suspect(int index) => Request(_slots[index], waiter: null, question: null);

    /// <summary>
    /// Records a position that traffic observed on a node. A newer position becomes part of the snapshot in one of the next steps; the
    /// latest sample wins. A sample that contradicts the snapshot triggers a probe of the node.
    /// </summary>
    public void Note(int index, in SampledPosition sample)
    {
        var node = Snapshot.Nodes[index];
        if (sample.Epoch.IsUnknown) return;
        if (sample.Epoch == node.Epoch
            ? sample.Lsn <= node.Lsn && sample.IsInRecovery == (node.ReportedRole == ReportedRole.Replica)
            : node.HasSeveralServers && node.HasShown(sample.Epoch)) return;
        lock (_requests)
        {
            var slot = _slots[index];
            if (_isOver) return;
            var isFirst = slot.Note is null;

            // Keep a sample that contradicts the snapshot, because such samples are rarer.
            if (slot.Note is not { } noted || noted.Epoch == node.Epoch || sample.Epoch != node.Epoch) slot.Note = sample;
            if (!isFirst) return;
        }

        _driver.Wake();
    }

    /// <summary>Returns the state of a node from a probe that is sent after this call. One probe serves all waiting callers.</summary>
    /// <exception cref="ObjectDisposedException">The monitor was stopped before the response arrived.</exception>
    public Task<NodeState> SampleAsync(int index, CancellationToken cancellationToken)
    {
        var waiter = new TaskCompletionSource<NodeState>(_resumption);
        Request(_slots[index], waiter, question: null);
        return waiter.Task.WaitAsync(cancellationToken);
    }

    /// <inheritdoc cref="SampleAsync"/>
    /// <remarks>Blocks for at most the time that a probe may take, and needs no thread-pool thread.</remarks>
    public NodeState Sample(int index)
    {
        var waiter = new TaskCompletionSource<NodeState>(_resumption);
        Request(_slots[index], waiter, question: null);
        return Block(waiter.Task);
    }

    /// <summary>
    /// Samples several nodes, and blocks until the first one responds or the time has passed. Needs no thread-pool thread.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The monitor was stopped before a response arrived.</exception>
    public void SampleAny(int[] indexes, TimeSpan atMost)
    {
        var waiters = Array.ConvertAll(indexes, index =>
        {
            var waiter = new TaskCompletionSource<NodeState>(_resumption);
            Request(_slots[index], waiter, question: null);
            return (Task)waiter.Task;
        });

        // Waits truncate to whole milliseconds, so without rounding up the caller would spin during the last one.
        var first = Task.WaitAny(waiters, TimeSpan.FromMilliseconds(Math.Ceiling(atMost.TotalMilliseconds)));
        if (first >= 0) Block(waiters[first]);
    }

    /// <inheritdoc cref="Sample"/>
    /// <summary>Samples every node once and waits until each one has responded or failed.</summary>
    public void SampleAll()
    {
        var waiters = Array.ConvertAll(_slots, slot =>
        {
            var waiter = new TaskCompletionSource<NodeState>(_resumption);
            Request(slot, waiter, question: null);
            return waiter.Task;
        });
        foreach (var waiter in waiters) Block(waiter);
    }

    /// <summary>
    /// Finds which of the backends and transactions have ended on the node, by a probe that is sent after this call. Returns an empty
    /// result if the node does not respond in time.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The monitor was stopped before the response arrived.</exception>
    public Task<Unsettled> FindEndedAsync(int index, Unsettled asked, CancellationToken cancellationToken) =>
        QueryEnded(index, asked).WaitAsync(cancellationToken);

    /// <inheritdoc cref="FindEndedAsync"/>
    /// <remarks>Blocks for at most the time that a probe may take, and needs no thread-pool thread.</remarks>
    public Unsettled FindEnded(int index, Unsettled asked) => Block(QueryEnded(index, asked));

    /// <summary>Stops the monitor without waiting for its last probes.</summary>
    public void Stop()
    {
        _isStopping = true;
        _driver.Wake();
        _stop.Cancel();
    }

    public async ValueTask DisposeAsync()
    {
        Stop();
        await _driver.Ended.ConfigureAwait(false);
    }

    private Task<Unsettled> QueryEnded(int index, Unsettled asked)
    {
        var question = new EndedQuestion(asked, _resumption);
        Request(_slots[index], waiter: null, question);
        return question.Answer.Task;
    }

    private void Request(Slot slot, TaskCompletionSource<NodeState>? waiter, EndedQuestion? question)
    {
        lock (_requests)
        {
            if (_isOver)
            {
                waiter?.SetException(Ended());
                question?.Answer.SetException(Ended());
                return;
            }

            slot.IsWanted = true;
            if (waiter is not null) slot.Waiting.Add(waiter);
            if (question is not null) slot.Questions.Add(question);

            // The pending response wakes the monitor, which then sends one probe for all callers that have arrived since.
            if (slot.IsUnderWay && !slot.IsOverdue) return;
        }

        _driver.Wake();
    }

    /// <summary>Processes the results that have arrived and sends the probes that are due.</summary>
    /// <returns>The time until the next step is due, or <see langword="null"/> if the monitor has ended.</returns>
    private TimeSpan? Step()
    {
        if (_isStopping)
        {
            ReleaseEveryone();
            return null;
        }

        var wait = _interval;
        try
        {
            GrantLateness(_time.GetElapsedTime(_nextStepAt));
            for (var index = 0; index < _slots.Length; index++) TakeAnswer(index, _slots[index]);
            wait = Min(wait, TakeNotes());
            wait = EndFirstRoundInTime(wait);
            for (var index = 0; index < _slots.Length; index++) wait = Min(wait, SendIfDue(index, _slots[index]));
        }
#pragma warning disable CA1031 // An error in one round must not end the monitor, and is logged.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Try(() => Log.MonitorRoundFailed(_logger, e));
            wait = _interval;
        }

        if (wait < TimeSpan.Zero) wait = TimeSpan.Zero;
        _nextStepAt = _time.GetTimestamp() + Ticks(wait);
        return wait;
    }

    /// <summary>
    /// Extends the deadlines of pending probes by the time that the step was late, up to a limit. If this process was delayed (a busy
    /// machine, a garbage collection pause), so were the responses. Otherwise every node would appear unreachable at once.
    /// </summary>
    private void GrantLateness(TimeSpan lateness)
    {
        if (lateness < MinLateness) return;
        foreach (var slot in _slots) slot.Grace = Min(slot.Grace + lateness, _timeout * MaxGraces);
    }

    private void TakeAnswer(int index, Slot slot)
    {
        if (!slot.IsUnderWay) return;
        ProbeResult? arrived;
        var dueBy = DueBy(slot);
        lock (_requests)
        {
            (arrived, slot.Arrived) = (slot.Arrived, null);
            if (arrived is not null) slot.IsUnderWay = false;
        }

        if (arrived is { } result)
        {
            // A late response describes a moment that is long past, and the next probe is due at once. A response that was read in time
            // counts even if it is processed late.
            if (!slot.IsOverdue || result.ArrivedAt < slot.OverdueAt) Publish(index, slot, result);
        }
        else if (!slot.IsOverdue && _time.GetTimestamp() >= dueBy)
        {
            lock (_requests) slot.IsOverdue = true;
            slot.OverdueAt = dueBy;
            var allowed = (slot.Sender.Allowance ?? _timeout).TotalMilliseconds;
            Publish(index, slot, new ProbeResult(ProbeAnswer.Failed($"no response within {allowed:0} ms"), dueBy, Unsettled.None));
        }
    }

    /// <summary>Adds the positions that traffic observed to the snapshot, unless this was done a moment ago.</summary>
    /// <returns>The time until the next action is due.</returns>
    private TimeSpan TakeNotes()
    {
        var pause = NotePause - _time.GetElapsedTime(_notesTakenAt);
        var (before, after) = (Snapshot, Snapshot);
        for (var index = 0; index < _slots.Length; index++)
        {
            SampledPosition sample;
            lock (_requests)
            {
                if (_slots[index].Note is not { } note) continue;
                if (pause > TimeSpan.Zero) return pause;
                (sample, _slots[index].Note) = (note, null);
            }

            after = SnapshotRules.With(after, index, sample, ProbesSent, _time.GetTimestamp(), _time.TimestampFrequency, out var isNews);
            if (isNews) Suspect(index);
        }

        if (ReferenceEquals(after, before)) return _interval;
        _notesTakenAt = _time.GetTimestamp();
        Volatile.Write(ref _snapshot, after);
        Try(() => SnapshotLog.Report(_logger, before, after));
        return NotePause;
    }

    /// <summary>Sends the probe of the node if it is due.</summary>
    /// <returns>The time until the next action for the node is due.</returns>
    private TimeSpan SendIfDue(int index, Slot slot)
    {
        if (slot.IsUnderWay)
        {
            if (!slot.IsOverdue) return Until(DueBy(slot));

            // Callers treat an overdue probe as a failure. The probe itself continues: a connection that is slow to open is then available
            // to the next probe.
            Serve(slot, Snapshot.Nodes[index]);
            return _interval;
        }

        var due = slot.Number == 0 ? TimeSpan.Zero : _interval - _time.GetElapsedTime(slot.SentAt);
        if (!slot.IsWanted && due > TimeSpan.Zero) return due;
        Send(slot);
        return Until(DueBy(slot));
    }

    private void Send(Slot slot)
    {
        lock (_requests)
        {
            (slot.IsWanted, slot.IsUnderWay, slot.IsOverdue) = (false, true, false);

            // A failed round may have left callers without a result. This probe serves them.
            slot.Served.AddRange(slot.Waiting);
            slot.SentQuestions.AddRange(slot.Questions);
            slot.Waiting.Clear();
            slot.Questions.Clear();
        }

        slot.Number = Interlocked.Increment(ref _probesSent);
        slot.SentAt = _time.GetTimestamp();
        slot.Grace = TimeSpan.Zero;
        try
        {
            slot.Sender.Send(slot.SentQuestions.Count == 0
                ? Unsettled.None : Unsettled.All([.. slot.SentQuestions.Select(q => q.Asked)]));
        }
#pragma warning disable CA1031 // A probe that cannot be sent has failed, for example because no thread can be started.
        catch (Exception e)
#pragma warning restore CA1031
        {
            // The next probe is due after the interval.
            slot.Sender.Answered(new ProbeResult(ProbeAnswer.Failed(NodeProbe.Describe(e)), _time.GetTimestamp(), Unsettled.None));
        }
    }

    private TimeSpan EndFirstRoundInTime(TimeSpan wait)
    {
        if (_firstRound.Task.IsCompleted) return wait;
        var elapsed = _time.GetElapsedTime(_startedAt);
        if (elapsed >= _firstRoundTimeout || (elapsed >= _timeout && Snapshot.Primary is not null)) _firstRound.TrySetResult();
        return Min(wait, elapsed < _timeout ? _timeout - elapsed : _firstRoundTimeout - elapsed);
    }

    private void Publish(int index, Slot slot, in ProbeResult result)
    {
        var before = Snapshot;
        var after = SnapshotRules.After(before, index, result.Answer, slot.Number, slot.SentAt, _time.TimestampFrequency, result.ArrivedAt);
        Volatile.Write(ref _snapshot, after);
        if (after.IsComplete) _firstRound.TrySetResult();
        var (served, questions) = (slot.Served, slot.SentQuestions);
        (slot.Served, slot.SentQuestions) = ([], []);
        foreach (var waiter in served) waiter.TrySetResult(after.Nodes[index]);
        foreach (var question in questions) question.Answer.TrySetResult(question.Asked.In(result.Ended));
        Try(() => SnapshotLog.Report(_logger, before, after));
    }

    /// <summary>Completes the callers that wait for a node that does not respond.</summary>
    private void Serve(Slot slot, NodeState state)
    {
        List<TaskCompletionSource<NodeState>> waiting;
        List<EndedQuestion> questions;
        lock (_requests)
        {
            if (slot.Waiting.Count == 0 && slot.Questions.Count == 0) return;
            (waiting, slot.Waiting) = (slot.Waiting, []);
            (questions, slot.Questions) = (slot.Questions, []);
        }

        foreach (var waiter in waiting) waiter.TrySetResult(state);
        foreach (var question in questions) question.Answer.TrySetResult(Unsettled.None);
    }

    private void ReleaseEveryone()
    {
        _firstRound.TrySetResult();
        lock (_requests) _isOver = true;
        foreach (var slot in _slots)
        {
            foreach (var waiter in slot.Waiting.Concat(slot.Served)) waiter.TrySetException(Ended());
            foreach (var question in slot.Questions.Concat(slot.SentQuestions)) question.Answer.TrySetException(Ended());
        }
    }

    private void Attach(int index, ProbeSender sender)
    {
        var slot = _slots[index];
        slot.Sender = sender;
        sender.Answered = result =>
        {
            lock (_requests) slot.Arrived = result;
            _driver.Wake();
        };
    }

    private long DueBy(Slot slot) => (slot.Sender.DueBy ?? slot.SentAt + Ticks(_timeout)) + Ticks(slot.Grace);

    private TimeSpan Until(long timestamp) => _time.GetElapsedTime(_time.GetTimestamp(), timestamp);

    private long Ticks(TimeSpan span) => (long)(span.TotalSeconds * _time.TimestampFrequency);

    private static ObjectDisposedException Ended() => new("TidemarkDataSource");

    /// <summary>Blocks until a task of the monitor completes. The task needs no thread-pool thread and completes in bounded time.</summary>
    private static T Block<T>(Task<T> task)
    {
#pragma warning disable RS0030 // The monitor's thread completes the task directly, so this does not wait for the thread pool.
        return task.GetAwaiter().GetResult();
#pragma warning restore RS0030
    }

    private static void Block(Task task)
    {
#pragma warning disable RS0030 // As above.
        task.GetAwaiter().GetResult();
#pragma warning restore RS0030
    }

    /// <summary>Writes a log message. An exception of the logger loses the message but does not fail the round.</summary>
    private static void Try(Action log)
    {
        try
        {
            log();
        }
#pragma warning disable CA1031 // The logger itself failed, so the exception cannot be reported.
        catch (Exception)
#pragma warning restore CA1031
        {
        }
    }

    private static TimeSpan Min(TimeSpan one, TimeSpan other) => one < other ? one : other;

    /// <summary>A request to find which of a set of backends and transactions have ended.</summary>
    private sealed class EndedQuestion(Unsettled asked, TaskCreationOptions resumption)
    {
        public Unsettled Asked { get; } = asked;

        public TaskCompletionSource<Unsettled> Answer { get; } = new(resumption);
    }

    /// <summary>The single pending probe of a node, and the callers that wait for it and for the next one.</summary>
    private sealed class Slot
    {
        // Written only by the steps. Fields that requests read are accessed under the lock.
        public ProbeSender Sender = null!;
        public bool IsUnderWay;
        public bool IsOverdue;
        public long OverdueAt;
        public long Number;
        public long SentAt;
        public TimeSpan Grace;
        public List<TaskCompletionSource<NodeState>> Served = [];
        public List<EndedQuestion> SentQuestions = [];

        // Also written by other threads, under the lock.
        public ProbeResult? Arrived;
        public SampledPosition? Note;
        public bool IsWanted;
        public List<TaskCompletionSource<NodeState>> Waiting = [];
        public List<EndedQuestion> Questions = [];
    }
}
