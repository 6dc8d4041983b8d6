using Microsoft.Extensions.Logging.Abstractions;
using Tidemark.Testing;
using static Tidemark.Snapshots;

namespace Tidemark;

/// <summary>Tests the monitor on its own thread, with nodes whose responses the test controls.</summary>
public sealed class MonitorThreadTests : IAsyncDisposable
{
    // Time after which a test that hangs fails, in milliseconds of real time.
    private const int Patience = 20_000;

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Timeout = TimeSpan.FromMilliseconds(750);
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(5);

    private readonly VirtualTime _time = new();
    private readonly Sender[] _nodes;
    private readonly ClusterMonitor _monitor;

    public MonitorThreadTests()
    {
        _nodes = [new Sender(_time), new Sender(_time)];
        _monitor = new ClusterMonitor(["pg-1", "pg-2"], _nodes, Interval, Timeout, ConnectTimeout, _time, NullLogger.Instance,
            systemIdentifier: 0);
    }

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => _monitor.DisposeAsync();

    [Fact(Timeout = Patience)]
    public async Task A_node_that_is_being_connected_to_is_not_unreachable_at_the_probe_time_out()
    {
        await StartAsync();
        _nodes[0].AnswerAlways(Primary());
        var first = _monitor.FirstRoundAsync(Cancelled);
        await GoRoundAsync(Timeout - TimeSpan.FromMilliseconds(1));
        first.IsCompleted.ShouldBeFalse();
        _time.Advance(TimeSpan.FromMilliseconds(1));
        await first;
        _monitor.Snapshot.Statuses().ShouldBe([ConcludedStatus.Primary, ConcludedStatus.NotProbed]);

        await AdvanceUntil(() => _monitor.Snapshot.Nodes[1].Status == ConcludedStatus.Unreachable);
        (_time.GetElapsedTime(0) >= ConnectTimeout).ShouldBeTrue();
        _monitor.Snapshot.Nodes[1].Failure.ShouldBe("no response within 5000 ms");
    }

    [Fact(Timeout = Patience)]
    public async Task A_first_round_without_a_primary_ends_at_the_connect_timeout()
    {
        await StartAsync();
        _nodes[0].AnswerAlways(Replica());
        var first = _monitor.FirstRoundAsync(Cancelled);
        await GoRoundAsync(ConnectTimeout - TimeSpan.FromMilliseconds(1));
        first.IsCompleted.ShouldBeFalse();
        _time.Advance(TimeSpan.FromMilliseconds(1));
        await first;
    }

    [Fact(Timeout = Patience)]
    public async Task An_answer_that_was_read_in_time_counts_though_it_is_taken_late()
    {
        await StartAsync();
        _nodes[0].AnswerAlways(Primary());
        _time.Advance(TimeSpan.FromSeconds(4));
        var readAt = _time.GetTimestamp();
        await AdvanceUntil(() => _monitor.Snapshot.Nodes[1].Status == ConcludedStatus.Unreachable);

        _nodes[1].Answer(Replica(position: 77), readAt);
        await WaitUntil(() => _monitor.Snapshot.Nodes[1].Lsn == At(77));
    }

    [Fact(Timeout = Patience)]
    public async Task Thousands_of_waiting_callers_are_served_by_one_probe()
    {
        await StartAsync();
        _nodes[0].Answer(Primary());
        await WaitUntil(() => _monitor.Snapshot.Primary is not null);
        var first = _monitor.SampleAsync(0, Cancelled);
        await WaitUntil(() => _nodes[0].TimesProbed == 2);
        var others = Enumerable.Range(0, 5_000).Select(_ => _monitor.SampleAsync(0, Cancelled)).ToArray();
        _nodes[0].Answer(Primary(position: 200));
        await first;
        await WaitUntil(() => _nodes[0].TimesProbed == 3);
        _nodes[0].Answer(Primary(position: 300));

        (await Task.WhenAll(others)).ShouldAllBe(state => state.Lsn == At(300));
        _nodes[0].TimesProbed.ShouldBe(3);
    }

    [Fact(Timeout = Patience)]
    public async Task Callers_that_block_are_released_by_the_time_out_and_by_the_end()
    {
        _nodes[1].DueIn = TimeSpan.FromDays(1);
        await StartAsync();
        _nodes[0].DueIn = Timeout;
        _nodes[0].Answer(Primary());
        await WaitUntil(() => _monitor.Snapshot.Primary is not null);
        var sampled = Blocked(() => _monitor.Sample(0).Status);
        await AdvanceUntil(() => sampled.IsCompleted);
        (await sampled).ShouldBe(ConcludedStatus.Unreachable);
        (await Blocked(() => _monitor.FindEnded(0, new Unsettled([1, 2], [])).Backends.Length)).ShouldBe(0);

        var waiting = Blocked(() => _monitor.Sample(1));
        await _monitor.DisposeAsync();
        await Should.ThrowAsync<ObjectDisposedException>(waiting);
        Should.Throw<ObjectDisposedException>(() => _monitor.FindEnded(1, new Unsettled([1], [])));
    }

    [Fact(Timeout = Patience)]
    public async Task Each_caller_receives_its_own_ended_backends()
    {
        await StartAsync();
        _nodes[0].Answer(Primary());
        await WaitUntil(() => _monitor.Snapshot.Primary is not null);
        var probe = _monitor.SampleAsync(0, Cancelled);
        await WaitUntil(() => _nodes[0].TimesProbed == 2);
        var one = _monitor.FindEndedAsync(0, new Unsettled([1, 2], ["740"]), Cancelled);
        var other = _monitor.FindEndedAsync(0, new Unsettled([2, 3], []), Cancelled);
        _nodes[0].Answer(Primary());
        await probe;
        await WaitUntil(() => _nodes[0].TimesProbed == 3);
        _nodes[0].Asked.Backends.ShouldBe([1, 2, 3]);
        _nodes[0].Asked.Transactions.ShouldBe(["740"]);
        _nodes[0].Answer(Primary(), ended: new Unsettled([1, 2], ["740"]));

        (await one).Backends.ShouldBe([1, 2]);
        (await one).Transactions.ShouldBe(["740"]);
        (await other).Backends.ShouldBe([2]);
        (await other).Transactions.ShouldBeEmpty();
    }

    [Fact(Timeout = Patience)]
    public async Task A_probe_that_cannot_be_sent_has_failed()
    {
        _nodes[1].Refuses = true;
        await StartAsync();
        await WaitUntil(() => _monitor.Snapshot.Nodes[1].Failure == "no thread");
    }

    [Fact(Timeout = Patience)]
    public async Task A_context_of_the_caller_does_not_block_the_monitor()
    {
        var context = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(new DeadContext());
        try
        {
            _monitor.Start();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(context);
        }

        await WaitUntil(() => _nodes[0].TimesProbed == 1 && _nodes[1].TimesProbed == 1);
        _nodes[0].Answer(Primary());
        _nodes[1].Answer(Replica());
        await _monitor.FirstRoundAsync(Cancelled);
    }

    // Not on the thread pool, because the tested code must not need it.
    private static Task<T> Blocked<T>(Func<T> block) =>
        Task.Factory.StartNew(block, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private async Task StartAsync()
    {
        _monitor.Start();
        await WaitUntil(() => _nodes[0].TimesProbed == 1 && _nodes[1].TimesProbed == 1);
    }

    /// <summary>Advances time and wakes the monitor.</summary>
    private async Task GoRoundAsync(TimeSpan time)
    {
        _time.Advance(time);
        await _monitor.SampleAsync(0, Cancelled);
        await _monitor.SampleAsync(0, Cancelled);
    }

    private async Task AdvanceUntil(Func<bool> holds)
    {
        while (!holds())
        {
            Cancelled.ThrowIfCancellationRequested();
            _time.Advance(TimeSpan.FromMilliseconds(1));
            await Task.Yield();
        }
    }

    private static async Task WaitUntil(Func<bool> holds)
    {
        while (!holds())
        {
            Cancelled.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    /// <summary>A thread that is always busy, such as a UI thread.</summary>
    private sealed class DeadContext : SynchronizationContext
    {
        public override void Post(SendOrPostCallback d, object? state)
        {
        }
    }

    private sealed class Sender(VirtualTime time) : ProbeSender
    {
        private readonly Lock _gate = new();
        private ProbeAnswer? _status;
        private long _dueBy;
        private int _timesProbed;

        public TimeSpan DueIn { get; set; } = ConnectTimeout;

        public bool Refuses { get; set; }

        public Unsettled Asked { get; private set; } = Unsettled.None;

        public int TimesProbed => Volatile.Read(ref _timesProbed);

        public override long? DueBy => Volatile.Read(ref _dueBy);

        public override TimeSpan? Allowance => DueIn;

        public override void Send(Unsettled asked)
        {
            if (Refuses)
            {
                Interlocked.Increment(ref _timesProbed);
                throw new InvalidOperationException("no thread");
            }

            Asked = asked;
            Volatile.Write(ref _dueBy, time.GetTimestamp() + DueIn.Ticks);
            ProbeAnswer? answer;
            lock (_gate)
            {
                Interlocked.Increment(ref _timesProbed);
                answer = _status;
            }

            if (answer is not null) Answer(answer);
        }

        public void Answer(ProbeAnswer answer, long? readAt = null, Unsettled? ended = null) =>
            Answered(new ProbeResult(answer, readAt ?? time.GetTimestamp(), ended ?? Unsettled.None));

        public void AnswerAlways(ProbeAnswer answer)
        {
            lock (_gate) _status = answer;
            Answer(answer);
        }
    }
}
