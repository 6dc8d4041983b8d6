using Microsoft.Extensions.Logging;

namespace Tidemark;

/// <summary>
/// Probes all nodes, and is the only writer of snapshots. A synchronous step takes what has arrived, sends what is due and returns how long
/// until something else
/// is; a <see cref="MonitorDriver"/> runs the steps. A node that hangs delays no other node, and no reader ever waits for a probe once
/// enough is known. Must never
/// end before it is disposed of, and never throw into a user's query.
/// </summary>
internal sealed class ClusterMonitor : IAsyncDisposable
{
    private const int MaxGraces = 4;

    // Positions that the traffic shows make a snapshot of their own at most so often.
    private static readonly TimeSpan NotePause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan MinLateness = TimeSpan.FromMilliseconds(20);

    private readonly TimeSpan _interval;
    private readonly TimeSpan _timeout;
    private readonly TimeSpan _firstRoundTimeout;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly MonitorDriver _driver;
    private readonly Slot[] _slots;
#pragma warning disable CA2213 // It has no timer or handle to free, and is cancelled again by callers that come after the end.
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

    /// <summary>A monitor on a thread of its own.</summary>
    /// <param name="names">The nodes.</param>
    /// <param name="senders">Sends the probes of each node; owned by the caller.</param>
    /// <param name="interval">How often each is asked.</param>
    /// <param name="timeout">How long an answer may take.</param>
    /// <param name="firstRoundTimeout">How long callers wait at the start while no primary is known.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Receives the changes of state.</param>
    /// <param name="systemIdentifier">The identity of the cluster; zero: found out.</param>
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

    /// <summary>A monitor without a thread, whose nodes are delegates.</summary>
    /// <param name="names">The nodes.</param>
    /// <param name="ask">Asks one.</param>
    /// <param name="interval">How often each is asked.</param>
    /// <param name="timeout">How long an answer may take.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Receives the changes of state.</param>
    /// <param name="resumption">
    /// How callers that wait resume: on the pool, or within the step in a simulation, which has one thread for all.
    /// </param>
    /// <param name="systemIdentifier">The identity of the cluster; zero: found out.</param>
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

    /// <summary>The latest picture; one volatile read.</summary>
    public ClusterSnapshot Snapshot => Volatile.Read(ref _snapshot);

    /// <summary>How many probes were sent so far. What was open at that count is older than any probe with a greater number.</summary>
    public long ProbesSent => Volatile.Read(ref _probesSent);

    public void Start()
    {
        _startedAt = _nextStepAt = _time.GetTimestamp();
        _driver.Start(Step);
    }

    /// <summary>
    /// Waits until every node has answered or failed. Ends earlier once the probe time-out has passed and a primary is known; at the latest
    /// after the connect
    /// time-out, since a round that reached no node is not knowledge.
    /// </summary>
    /// <exception cref="OperationCanceledException">The token was cancelled, before or meanwhile.</exception>
    public Task FirstRoundAsync(CancellationToken cancellationToken)
    {
        if (_firstRound.Task.IsCompleted) return Task.CompletedTask;

        // As Npgsql does with a token that is cancelled from the start, and not with a TaskCanceledException.
        cancellationToken.ThrowIfCancellationRequested();
        return _firstRound.Task.WaitAsync(cancellationToken);
    }

    /// <inheritdoc cref="FirstRoundAsync"/>
    public void FirstRound()
    {
        if (!_firstRound.Task.IsCompleted) Block(_firstRound.Task);
    }

    /// <summary>Something outside went wrong with the node: ask it now rather than at its turn.</summary>
    public void Suspect(int index) => Request(_slots[index], waiter: null, question: null);

    /// <summary>
    /// The traffic itself has shown something of a node. What moves it on becomes part of the snapshot soon, by the next steps: the latest
    /// wins. What does
    /// not fit is a reason to ask the node.
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

            // What does not fit is rarer than what does.
            if (slot.Note is not { } noted || noted.Epoch == node.Epoch || sample.Epoch != node.Epoch) slot.Note = sample;
            if (!isFirst) return;
        }

        _driver.Wake();
    }

    /// <summary>The state of a node by a probe that is sent after this call; one probe serves all callers that wait.</summary>
    /// <exception cref="ObjectDisposedException">The monitor ended before the answer.</exception>
    public Task<NodeState> SampleAsync(int index, CancellationToken cancellationToken)
    {
        var waiter = new TaskCompletionSource<NodeState>(_resumption);
        Request(_slots[index], waiter, question: null);
        return waiter.Task.WaitAsync(cancellationToken);
    }

    /// <inheritdoc cref="SampleAsync"/>
    /// <remarks>Blocks, for no longer than an answer may take, and needs no thread of the pool.</remarks>
    public NodeState Sample(int index)
    {
        var waiter = new TaskCompletionSource<NodeState>(_resumption);
        Request(_slots[index], waiter, question: null);
        return Block(waiter.Task);
    }

    /// <summary>
    /// Samples some nodes, and blocks until the first of them has answered or the time is over. Needs no thread of the pool.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The monitor ended before an answer.</exception>
    public void SampleAny(int[] indexes, TimeSpan atMost)
    {
        var waiters = Array.ConvertAll(indexes, index =>
        {
            var waiter = new TaskCompletionSource<NodeState>(_resumption);
            Request(_slots[index], waiter, question: null);
            return (Task)waiter.Task;
        });

        // Waits take whole milliseconds and cut off the rest: the caller would spin through the last one.
        var first = Task.WaitAny(waiters, TimeSpan.FromMilliseconds(Math.Ceiling(atMost.TotalMilliseconds)));
        if (first >= 0) Block(waiters[first]);
    }

    /// <inheritdoc cref="Sample"/>
    /// <summary>Samples every node once, or waits until it is clear that it does not answer.</summary>
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
    /// What of this has ended on the node, by a probe that is sent after this call. Nothing if the node does not answer in time.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The monitor ended before the answer.</exception>
    public Task<Unsettled> FindEndedAsync(int index, Unsettled asked, CancellationToken cancellationToken) =>
        AskEnded(index, asked).WaitAsync(cancellationToken);

    /// <inheritdoc cref="FindEndedAsync"/>
    /// <remarks>Blocks, for no longer than an answer may take, and needs no thread of the pool.</remarks>
    public Unsettled FindEnded(int index, Unsettled asked) => Block(AskEnded(index, asked));

    /// <summary>Ends the monitor without waiting for its last probes.</summary>
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

    private Task<Unsettled> AskEnded(int index, Unsettled asked)
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

            // The answer under way wakes the monitor, which then sends for all who have come meanwhile.
            if (slot.IsUnderWay && !slot.IsOverdue) return;
        }

        _driver.Wake();
    }

    /// <summary>Takes what has arrived and sends what is due.</summary>
    /// <returns>How long until something else is due; <see langword="null"/>: the monitor has ended.</returns>
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
    /// When this process itself was held up (a busy machine, a pause of the collector), so were the answers: they are given the time that
    /// the step came
    /// late, up to a limit. Otherwise every node at once would look dead for a moment.
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
            // What arrived too late describes a moment long gone; the next probe is due at once. What was read in time and taken late is in
            // time.
            if (!slot.IsOverdue || result.ArrivedAt < slot.OverdueAt) Publish(index, slot, result);
        }
        else if (!slot.IsOverdue && _time.GetTimestamp() >= dueBy)
        {
            lock (_requests) slot.IsOverdue = true;
            slot.OverdueAt = dueBy;
            var allowed = (slot.Sender.Allowance ?? _timeout).TotalMilliseconds;
            Publish(index, slot, new ProbeResult(ProbeAnswer.Failed($"no answer within {allowed:0} ms"), dueBy, Unsettled.None));
        }
    }

    /// <summary>Makes what the traffic has shown part of the snapshot, unless that was done a moment ago.</summary>
    /// <returns>How long until something else is due.</returns>
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

    /// <summary>Sends the node's probe if it is due.</summary>
    /// <returns>How long until something else is due for the node.</returns>
    private TimeSpan SendIfDue(int index, Slot slot)
    {
        if (slot.IsUnderWay)
        {
            if (!slot.IsOverdue) return Until(DueBy(slot));

            // Being overdue is an answer. The probe itself goes on: a connection that takes long to open is open for the next one.
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

            // A round that failed may have left callers without an answer: they are served by this one.
            slot.Served.AddRange(slot.Waiting);
            slot.AskedQuestions.AddRange(slot.Questions);
            slot.Waiting.Clear();
            slot.Questions.Clear();
        }

        slot.Number = Interlocked.Increment(ref _probesSent);
        slot.SentAt = _time.GetTimestamp();
        slot.Grace = TimeSpan.Zero;
        try
        {
            slot.Sender.Send(slot.AskedQuestions.Count == 0
                ? Unsettled.None : Unsettled.All([.. slot.AskedQuestions.Select(q => q.Asked)]));
        }
#pragma warning disable CA1031 // A probe that cannot be sent, since no thread can be started for instance, has failed; the next one is due after the interval.
        catch (Exception e)
#pragma warning restore CA1031
        {
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
        var (served, questions) = (slot.Served, slot.AskedQuestions);
        (slot.Served, slot.AskedQuestions) = ([], []);
        foreach (var waiter in served) waiter.TrySetResult(after.Nodes[index]);
        foreach (var question in questions) question.Answer.TrySetResult(question.Asked.In(result.Ended));
        Try(() => SnapshotLog.Report(_logger, before, after));
    }

    /// <summary>No caller waits for a node that does not answer.</summary>
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
            foreach (var question in slot.Questions.Concat(slot.AskedQuestions)) question.Answer.TrySetException(Ended());
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

    /// <summary>Blocks until a task of the monitor's completes, which it does without a thread of the pool, and in bounded time.</summary>
    private static T Block<T>(Task<T> task)
    {
#pragma warning disable RS0030 // No code runs between the monitor's thread, which completes the task, and this one.
        return task.GetAwaiter().GetResult();
#pragma warning restore RS0030
    }

    private static void Block(Task task)
    {
#pragma warning disable RS0030 // As above.
        task.GetAwaiter().GetResult();
#pragma warning restore RS0030
    }

    /// <summary>Logs. A logger that throws costs its line, and not the round.</summary>
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

    /// <summary>What of something has ended.</summary>
    private sealed class EndedQuestion(Unsettled asked, TaskCreationOptions resumption)
    {
        public Unsettled Asked { get; } = asked;

        public TaskCompletionSource<Unsettled> Answer { get; } = new(resumption);
    }

    /// <summary>The one probe of a node that may be under way, and the callers that wait for it and for the next.</summary>
    private sealed class Slot
    {
        // Written by the steps alone; what requests look at, within the lock.
        public ProbeSender Sender = null!;
        public bool IsUnderWay;
        public bool IsOverdue;
        public long OverdueAt;
        public long Number;
        public long SentAt;
        public TimeSpan Grace;
        public List<TaskCompletionSource<NodeState>> Served = [];
        public List<EndedQuestion> AskedQuestions = [];

        // Written by others too, within the lock.
        public ProbeResult? Arrived;
        public SampledPosition? Note;
        public bool IsWanted;
        public List<TaskCompletionSource<NodeState>> Waiting = [];
        public List<EndedQuestion> Questions = [];
    }
}
