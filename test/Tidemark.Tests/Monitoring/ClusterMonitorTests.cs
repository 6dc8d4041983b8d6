using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Tidemark.Testing;
using static Tidemark.Snapshots;

namespace Tidemark;

public sealed class ClusterMonitorTests : IAsyncDisposable
{
    // Time after which a test that hangs fails, in milliseconds of real time.
    private const int Patience = 20_000;

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Timeout = TimeSpan.FromMilliseconds(750);

    private readonly VirtualTime _time = new();
    private readonly FakeNodes _nodes = new(count: 3);
    private readonly ClusterMonitor _monitor;

    public ClusterMonitorTests() => _monitor = New(NullLogger.Instance);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => _monitor.DisposeAsync();

    [Fact(Timeout = Patience)]
    public async Task The_first_round_ends_when_every_node_has_answered()
    {
        _monitor.Start();
        _nodes.Answer(0, Primary());
        _nodes.Answer(1, Replica());
        await WaitFor(snapshot => snapshot.Nodes[1].Status == ConcludedStatus.Replica);
        var first = _monitor.FirstRoundAsync(Cancelled);
        first.IsCompleted.ShouldBeFalse();

        _nodes.Answer(2, Silence);
        await first;
        _monitor.FirstRound();
        _monitor.Snapshot.Statuses().ShouldBe([ConcludedStatus.Primary, ConcludedStatus.Replica, ConcludedStatus.Unreachable]);
    }

    [Fact(Timeout = Patience)]
    public async Task A_node_that_hangs_does_not_delay_other_nodes()
    {
        await StartAsync(hanging: 2);
        _nodes.AnswerAlways(0, Primary());
        await AdvanceUntil(() => _nodes.TimesProbed(0) >= 5);

        _nodes.TimesProbed(2).ShouldBe(1);
    }

    [Fact(Timeout = Patience)]
    public async Task A_node_that_hangs_is_unreachable_at_the_time_out_and_not_before()
    {
        await StartAsync(hanging: 2);
        _nodes.AnswerAlways(0, Primary());
        _nodes.AnswerAlways(1, Replica());

        _time.Advance(Timeout - TimeSpan.FromMilliseconds(1));
        await _monitor.SampleAsync(0, Cancelled);
        await _monitor.SampleAsync(0, Cancelled);
        _monitor.Snapshot.Nodes[2].Status.ShouldBe(ConcludedStatus.NotProbed, "the loop has gone round since");

        await AdvanceUntil(() => _monitor.Snapshot.Nodes[2].Status == ConcludedStatus.Unreachable);
        _monitor.Snapshot.Nodes[2].Failure.ShouldBe("no response within 750 ms");
        await _monitor.FirstRoundAsync(Cancelled);
    }

    [Fact(Timeout = Patience)]
    public async Task A_late_response_is_dropped_and_the_node_is_probed_again()
    {
        await StartAsync(hanging: 2);
        await AdvanceUntil(() => _monitor.Snapshot.Nodes[2].Status == ConcludedStatus.Unreachable);

        _nodes.Answer(2, Replica(position: 5));
        await WaitUntilAsked(2, times: 2);
        _monitor.Snapshot.Nodes[2].Status.ShouldBe(ConcludedStatus.Unreachable);

        _nodes.Answer(2, Replica(position: 90));
        await WaitFor(snapshot => snapshot.Nodes[2].Lsn == At(90));
    }

    [Fact(Timeout = Patience)]
    public async Task A_sample_is_served_by_a_probe_sent_after_the_call()
    {
        await StartAsync();
        _monitor.Suspect(0);
        await WaitUntilAsked(0, times: 2);

        var sample = _monitor.SampleAsync(0, Cancelled);
        _nodes.Answer(0, Primary(position: 200));
        await WaitUntilAsked(0, times: 3);
        sample.IsCompleted.ShouldBeFalse("the probe under way was sent before the call");

        _nodes.Answer(0, Primary(position: 300));
        (await sample).Lsn.ShouldBe(At(300));
    }

    [Fact(Timeout = Patience)]
    public async Task A_sample_does_not_wait_for_the_interval()
    {
        await StartAsync();
        var sample = _monitor.SampleAsync(0, Cancelled);
        await WaitUntilAsked(0, times: 2);
        _nodes.Answer(0, Primary(position: 200));

        (await sample).Lsn.ShouldBe(At(200));
        _nodes.TimesProbed(1).ShouldBe(1);
    }

    [Fact(Timeout = Patience)]
    public async Task One_probe_serves_all_waiting_callers()
    {
        await StartAsync();
        var first = _monitor.SampleAsync(0, Cancelled);
        await WaitUntilAsked(0, times: 2);
        var others = Enumerable.Range(0, 20).Select(_ => _monitor.SampleAsync(0, Cancelled)).ToArray();
        _nodes.Answer(0, Primary(position: 200));
        await first;
        await WaitUntilAsked(0, times: 3);
        _nodes.Answer(0, Primary(position: 300));

        (await Task.WhenAll(others)).ShouldAllBe(state => state.Lsn == At(300));
        _nodes.TimesProbed(0).ShouldBe(3);
    }

    [Fact(Timeout = Patience)]
    public async Task Callers_do_not_wait_for_a_node_that_hangs()
    {
        await StartAsync();
        var asked = _monitor.SampleAsync(0, Cancelled);
        await WaitUntilAsked(0, times: 2);
        var behind = _monitor.SampleAsync(0, Cancelled);

        await AdvanceUntil(() => asked.IsCompleted);
        (await asked).Status.ShouldBe(ConcludedStatus.Unreachable);
        (await behind).Status.ShouldBe(ConcludedStatus.Unreachable);

        var afterwards = _monitor.SampleAsync(0, Cancelled);
        (await afterwards).Status.ShouldBe(ConcludedStatus.Unreachable);
    }

    [Fact(Timeout = Patience)]
    public async Task A_cancelled_caller_does_not_affect_other_waiting_callers()
    {
        await StartAsync();
        using var impatience = new CancellationTokenSource();
        var impatient = _monitor.SampleAsync(0, impatience.Token);
        var patient = _monitor.SampleAsync(0, Cancelled);
        await impatience.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(impatient);

        _nodes.AnswerAlways(0, Primary(position: 300));
        (await patient).Lsn.ShouldBe(At(300));
    }

    [Fact(Timeout = Patience)]
    public async Task A_suspected_node_is_probed_at_once()
    {
        await StartAsync();
        _monitor.Suspect(1);
        await WaitUntilAsked(1, times: 2);
        _nodes.Answer(1, Silence);

        await WaitFor(snapshot => snapshot.Nodes[1].Status == ConcludedStatus.Unreachable);
        _nodes.TimesProbed(0).ShouldBe(1);
    }

    [Fact(Timeout = Patience)]
    public async Task A_suspected_node_is_probed_again_after_the_pending_probe()
    {
        await StartAsync();
        _monitor.Suspect(1);
        await WaitUntilAsked(1, times: 2);
        _monitor.Suspect(1);
        _nodes.Answer(1, Replica());

        await WaitUntilAsked(1, times: 3);
    }

    [Fact(Timeout = Patience)]
    public async Task A_node_is_probed_once_per_interval()
    {
        await StartAsync();
        for (var node = 0; node < 3; node++) _nodes.AnswerAlways(node, Primary());
        await AdvanceUntil(() => Enumerable.Range(0, 3).All(node => _nodes.TimesProbed(node) >= 11));

        _time.GetElapsedTime(0).ShouldBeGreaterThanOrEqualTo(10 * Interval);
    }

    [Fact(Timeout = Patience)]
    public async Task A_wait_of_less_than_a_millisecond_does_not_spin()
    {
        await StartAsync();
        _time.Advance(TimeSpan.FromMilliseconds(99.5));
        _monitor.Suspect(1);
        await WaitUntilAsked(1, times: 2);
        _nodes.Answer(1, Replica());

        // Nodes 1 and 3 are due in half a millisecond, but timers have a resolution of one millisecond.
        await WaitUntil(() => _time.UntilNextTimer == TimeSpan.FromMilliseconds(1));
        _time.Advance(TimeSpan.FromMilliseconds(1));
        await WaitUntilAsked(0, times: 2);
    }

    [Fact(Timeout = Patience)]
    public async Task Disposal_releases_current_and_later_callers()
    {
        _monitor.Start();
        var first = _monitor.FirstRoundAsync(Cancelled);
        var sample = _monitor.SampleAsync(0, Cancelled);
        await _monitor.DisposeAsync();

        await first;
        _monitor.FirstRound();
        await Should.ThrowAsync<ObjectDisposedException>(sample);
        await Should.ThrowAsync<ObjectDisposedException>(_monitor.SampleAsync(0, Cancelled));
        _monitor.Suspect(0);
    }

    [Fact(Timeout = Patience)]
    public async Task Disposal_may_be_repeated()
    {
        await StartAsync();
        _monitor.Stop();
        await _monitor.DisposeAsync();
        await _monitor.DisposeAsync();
        _monitor.Stop();
    }

    [Fact(Timeout = Patience)]
    public async Task A_probe_that_throws_is_a_failed_result_and_monitoring_continues()
    {
        await StartAsync();
        var sample = _monitor.SampleAsync(0, Cancelled);
        await WaitUntilAsked(0, times: 2);
        _nodes.Throw(0, new InvalidOperationException("broken probe"));

        (await sample).Failure.ShouldBe("broken probe");
        var next = _monitor.SampleAsync(0, Cancelled);
        await WaitUntilAsked(0, times: 3);
        _nodes.Answer(0, Primary());
        (await next).Status.ShouldBe(ConcludedStatus.Primary);
    }

    [Fact(Timeout = Patience)]
    public async Task A_logger_that_throws_does_not_stop_the_monitor()
    {
        await using var monitor = New(new ThrowingLogger());
        monitor.Start();
        for (var node = 0; node < 3; node++) _nodes.AnswerAlways(node, Replica());
        await monitor.FirstRoundAsync(Cancelled);

        _nodes.AnswerAlways(0, Primary(position: 300));
        (await monitor.SampleAsync(0, Cancelled)).Lsn.ShouldBe(At(300));
    }

    [Fact(Timeout = Patience)]
    public async Task Probes_do_not_inherit_the_context_of_the_caller()
    {
        var request = new AsyncLocal<string?> { Value = "the request that built the data source" };
        var seen = new ConcurrentQueue<string?>();
        _nodes.OnQuery = () => seen.Enqueue(request.Value);
        await StartAsync();
        _monitor.Suspect(0);
        await WaitUntilAsked(0, times: 2);

        seen.Last().ShouldBeNull();
        request.Value.ShouldNotBeNull();
    }

    private ClusterMonitor New(ILogger logger) => new(["pg-1", "pg-2", "pg-3"], _nodes.QueryAsync, Interval, Timeout, _time, logger);

    /// <summary>Starts the monitor, and gives it a first response of every node but one.</summary>
    private async Task StartAsync(int hanging = -1)
    {
        _monitor.Start();
        for (var node = 0; node < 3; node++)
            if (node != hanging) _nodes.Answer(node, node == 0 ? Primary() : Replica());
        await WaitFor(s => s.Nodes.All(n => n.Index == hanging || n.Status != ConcludedStatus.NotProbed));
    }

    /// <summary>Advances virtual time until a condition is met, for tests in which overshooting does not matter.</summary>
    private async Task AdvanceUntil(Func<bool> holds)
    {
        while (!holds())
        {
            Cancelled.ThrowIfCancellationRequested();
            _time.Advance(TimeSpan.FromMilliseconds(1));
            await Task.Yield();
        }
    }

    private Task WaitUntilAsked(int index, int times) => WaitUntil(() => _nodes.TimesProbed(index) >= times);

    private Task WaitFor(Func<ClusterSnapshot, bool> holds) => WaitUntil(() => holds(_monitor.Snapshot));

    // The loop runs on the thread pool and raises no events. Time is virtual, so yielding is sufficient.
    private static async Task WaitUntil(Func<bool> holds)
    {
        while (!holds())
        {
            Cancelled.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    private sealed class ThrowingLogger : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?,
            string> formatter) =>
            throw new InvalidOperationException("the sink is gone");
    }
}
