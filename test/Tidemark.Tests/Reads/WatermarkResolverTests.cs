using Tidemark.Testing;
using static Tidemark.Snapshots;

namespace Tidemark;

public sealed class WatermarkResolverTests : IAsyncDisposable
{
    // Timeout in milliseconds of real time, after which a test that hangs fails.
    private const int Patience = 20_000;

    private static readonly TimeSpan ReadWait = TimeSpan.FromMilliseconds(50);

    private readonly VirtualTime _time = new();
    private readonly FakeNodes _nodes = new(count: 3);
    private readonly ConsistencySession _session = new();
    private readonly List<LostWrite> _lost = [];
    private TidemarkDataSource? _source;
    private int[] _gone = [];
    private string[] _ended = [];

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private WatermarkResolver Watermarks => _source!.Watermarks;

    public async ValueTask DisposeAsync()
    {
        _session.Dispose();
        if (_source is not null) await _source.DisposeAsync();
    }

    [Fact(Timeout = Patience)]
    public async Task A_read_waits_until_one_of_the_replicas_has_caught_up()
    {
        await StartAsync();
        var wait = Watermarks.WaitAsync(Position(150), Cancelled).AsTask();
        wait.IsCompleted.ShouldBeFalse();

        _nodes.AnswerAlways(2, Replica(150));
        (await wait).ShouldBeTrue("pg-2 hangs, but does not delay the read");
    }

    [Fact(Timeout = Patience)]
    public async Task A_read_that_blocks_waits_for_a_replica_too()
    {
        await StartAsync();
        var wait = Task.Factory.StartNew(
            () => Watermarks.WaitAsync(Position(150), onNode: null, IoMode.Blocking, Cancelled).AsTask(), Cancelled,
                TaskCreationOptions.LongRunning, TaskScheduler.Default);

        _nodes.AnswerAlways(2, Replica(150));
        (await await wait).ShouldBeTrue();
    }

    [Fact(Timeout = Patience)]
    public async Task A_read_waits_no_longer_than_ReadWait_even_if_nodes_hang()
    {
        await StartAsync();
        var wait = Watermarks.WaitAsync(Position(150), Cancelled).AsTask();
        _time.Advance(ReadWait - TimeSpan.FromMilliseconds(1));
        wait.IsCompleted.ShouldBeFalse();

        _time.Advance(TimeSpan.FromMilliseconds(1));
        (await wait).ShouldBeFalse();
    }

    [Fact(Timeout = Patience)]
    public async Task A_replica_that_has_the_position_already_is_not_waited_for()
    {
        await StartAsync();

        (await Watermarks.WaitAsync(Position(100), Cancelled)).ShouldBeTrue();
        _nodes.TimesProbed(1).ShouldBe(1);
    }

    [Fact(Timeout = Patience)]
    public async Task A_paused_replica_is_waited_for_if_the_read_names_it()
    {
        await StartAsync(replicas: Replica(50));
        var wait = Watermarks.WaitAsync(Position(150), "pg-2", IoMode.Async, Cancelled).AsTask();
        wait.IsCompleted.ShouldBeFalse();

        _time.Advance(ReadWait);
        (await wait).ShouldBeFalse();
        (await Watermarks.WaitAsync(Position(50), "pg-1", IoMode.Async, Cancelled)).ShouldBeFalse("the primary is not a replica");
    }

    [Fact(Timeout = Patience)]
    public async Task A_replica_is_waited_for_if_it_replays_fast_enough()
    {
        await StartAsync();
        _nodes.AnswerAlways(0, Primary(1_000_000));
        _nodes.AnswerAlways(1, Replica(10_000));
        _nodes.AnswerAlways(2, Silence);
        _time.Advance(TimeSpan.FromMilliseconds(100));
        foreach (var index in (int[])[0, 1, 2]) await _source!.Cluster.Monitor.SampleAsync(index, Cancelled);
        _time.Advance(TimeSpan.FromMilliseconds(100));
        _nodes.AnswerAlways(1, Replica(20_000));
        var replica = await _source!.Cluster.Monitor.SampleAsync(1, Cancelled);
        (replica.KeepsUp, replica.Lsn).ShouldBe((true, At(20_000)));
        WalPosition In(TimeSpan time) => Position(20_000 + (ulong)(replica.ReplayRate!.Value * time.TotalSeconds));

        var wait = Watermarks.WaitAsync(In(ReadWait * 0.9), Cancelled).AsTask();
        wait.IsCompleted.ShouldBeFalse();
        (await Watermarks.WaitAsync(In(ReadWait * 1.1), Cancelled)).ShouldBeFalse();

        _time.Advance(ReadWait);
        (await wait).ShouldBeFalse();
    }

    [Fact(Timeout = Patience)]
    public async Task A_paused_replica_is_not_waited_for()
    {
        await StartAsync(replicas: Replica(50));

        (await Watermarks.WaitAsync(Position(150), Cancelled)).ShouldBeFalse();
        _nodes.TimesProbed(1).ShouldBe(1);
    }

    [Fact(Timeout = Patience)]
    public async Task A_replica_whose_timeline_does_not_include_the_position_is_not_waited_for()
    {
        await StartAsync();

        (await Watermarks.WaitAsync(Position(150, timeline: 7), Cancelled)).ShouldBeFalse();
    }

    [Fact(Timeout = Patience)]
    public async Task The_number_of_waiting_reads_is_limited()
    {
        await StartAsync(maxWaiting: 2);
        using var cancel = new CancellationTokenSource();
        var first = Watermarks.WaitAsync(Position(150), cancel.Token).AsTask();
        var second = Watermarks.WaitAsync(Position(150), Cancelled).AsTask();
        (await Watermarks.WaitAsync(Position(150), Cancelled)).ShouldBeFalse("two reads wait already");

        await cancel.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(first);
        var third = Watermarks.WaitAsync(Position(150), Cancelled).AsTask();
        third.IsCompleted.ShouldBeFalse();

        _nodes.AnswerAlways(1, Replica(150));
        (await Task.WhenAll(second, third)).ShouldBe([true, true]);
    }

    [Fact(Timeout = Patience)]
    public async Task A_waiting_read_fails_when_the_data_source_is_disposed()
    {
        await StartAsync();
        var wait = Watermarks.WaitAsync(Position(150), Cancelled).AsTask();
        await _source!.DisposeAsync();

        await Should.ThrowAsync<ObjectDisposedException>(wait);
        await Should.ThrowAsync<ObjectDisposedException>(Watermarks.WaitAsync(Position(150), Cancelled).AsTask());
    }

    [Fact(Timeout = Patience)]
    public async Task Reads_do_not_wait_where_waiting_is_off()
    {
        await StartAsync(readWait: TimeSpan.Zero);

        (await Watermarks.WaitAsync(Position(150), Cancelled)).ShouldBeFalse();
    }

    [Fact(Timeout = Patience)]
    public async Task What_is_pending_is_resolved_by_a_new_probe()
    {
        await StartAsync();
        _session.MarkWritten();
        var resolved = Watermarks.ResolveAllAsync(_session, ConsistencyDemands.Written, Cancelled).AsTask();
        resolved.IsCompleted.ShouldBeFalse();

        _nodes.AnswerAlways(0, Primary(170));
        await resolved;
        _session.Written.ShouldBe(Position(170));
    }

    [Theory(Timeout = Patience)]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_is_in_doubt_is_resolved_once_the_primary_reports_that_it_has_ended(bool isTransaction)
    {
        await StartAsync();
        _nodes.AnswerAlways(0, Primary(170));
        _session.BeginWrite();
        _session.EndWrite(
            _source!.Cluster.Monitor.Snapshot.Primary!, at: null, isInDoubt: true, backend: isTransaction
                ? 0 : 41, openTransaction: isTransaction ? "740" : null);
        await Watermarks.ResolveAllAsync(_session, ConsistencyDemands.Written, Cancelled);
        _session.IsInDoubt.ShouldBeTrue();

        (_gone, _ended) = ([41], ["740"]);
        await Watermarks.ResolveAllAsync(_session, ConsistencyDemands.Written, Cancelled);
        (_session.IsInDoubt, _session.Written).ShouldBe((false, Position(170)));
    }

    [Fact(Timeout = Patience)]
    public async Task A_read_is_decided_again_once_after_a_loss()
    {
        await StartAsync();
        _session.Resume(Position(90));
        var snapshot = _source!.Cluster.Monitor.Snapshot;
        Watermarks.Validate(_session, snapshot).ShouldBeFalse();

        _session.NoteLoss(LostWrite.Of(Position(1), isCertain: true, wasWritten: true, "of a test"));
        Watermarks.Validate(_session, snapshot).ShouldBeTrue();
        Watermarks.Validate(_session, snapshot).ShouldBeFalse();
        _lost.Count.ShouldBe(1);
    }

    [Fact(Timeout = Patience)]
    public async Task A_read_that_blocks_has_its_sample_when_it_returns()
    {
        await StartAsync();
        _session.Resume(Position(150));
        var wasProbed = new TaskCompletionSource();
        _nodes.OnQuery = () => wasProbed.TrySetResult();
        var isPrepared = Task.Factory.StartNew(
            () => Watermarks.PrepareAsync(_session, IoMode.Blocking, Cancelled).AsTask().IsCompleted, Cancelled,
                TaskCreationOptions.LongRunning, TaskScheduler.Default);

        await wasProbed.Task;
        _nodes.AnswerAlways(0, Primary(170));
        (await isPrepared).ShouldBeTrue();
    }

    [Fact(Timeout = Patience)]
    public async Task An_asynchronous_read_does_not_block_before_the_first_probe()
    {
        _source = new TidemarkDataSourceBuilder { TimeProvider = _time, ProbeNodes = _nodes.QueryAsync }.AddNode("pg-1",
            "Host=none.invalid")
            .Build();

        // Use a separate thread, where blocking does not affect other tests.
        var prepare = await Task.Factory.StartNew(
            () => Watermarks.PrepareAsync(_session, IoMode.Async, Cancelled).AsTask(), Cancelled, TaskCreationOptions.LongRunning,
                TaskScheduler.Default);
        prepare.IsCompleted.ShouldBeFalse();

        _nodes.AnswerAlways(0, Primary());
        await prepare;
    }

    [Fact(Timeout = Patience)]
    public async Task A_primary_that_rejects_the_probe_provides_no_sample()
    {
        await StartAsync();
        _session.MarkWritten();
        _nodes.AnswerAlways(0, Silence with { IsRefusal = true });
        await Watermarks.ResolveAllAsync(_session, ConsistencyDemands.Written, Cancelled);

        _source!.Cluster.Monitor.Snapshot.Primary.ShouldNotBeNull();
        _session.Written.ShouldBeNull("the position is older than the write");
    }

    [Fact(Timeout = Patience)]
    public async Task A_position_that_is_ahead_is_evaluated_after_every_node_was_probed()
    {
        await StartAsync();
        _session.Resume(Position(230, timeline: 2));
        PromoteSecond();
        await Watermarks.PrepareAsync(_session, IoMode.Async, Cancelled);

        _lost.ShouldBeEmpty();
        _session.Written.ShouldBe(Position(230, timeline: 2));
        _source!.Cluster.Monitor.Snapshot.Primary!.Name.ShouldBe("pg-2");
    }

    [Fact(Timeout = Patience)]
    public async Task A_synchronous_read_also_probes_every_node_for_a_position_that_is_ahead()
    {
        await StartAsync();
        _session.Resume(Position(230, timeline: 2));
        PromoteSecond();
        await Watermarks.PrepareAsync(_session, IoMode.Blocking, Cancelled);

        _lost.ShouldBeEmpty();
        _session.Written.ShouldBe(Position(230, timeline: 2));
    }

    [Theory(Timeout = Patience)]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_replica_that_followed_a_promotion_unprobed_has_lost_nothing_that_was_observed(bool isAsync)
    {
        await StartAsync();
        await SeeOnThirdAndPromoteSecondAsync();
        _nodes.AnswerAlways(2, Replica(300, timeline: 2));

        await Watermarks.PrepareAsync(_session, isAsync ? IoMode.Async : IoMode.Blocking, Cancelled);
        Watermarks.Validate(_session);

        _lost.ShouldBeEmpty();
        _nodes.TimesProbed(2).ShouldBe(2, "once at the start");
    }

    [Fact(Timeout = Patience)]
    public async Task What_was_read_from_a_replica_on_the_old_timeline_may_be_lost()
    {
        await StartAsync();
        await SeeOnThirdAndPromoteSecondAsync();
        _nodes.AnswerAlways(2, Replica(120));

        await Watermarks.PrepareAsync(_session, IoMode.Async, Cancelled);
        Watermarks.Validate(_session);

        _lost.ShouldHaveSingleItem().WasWritten.ShouldBeFalse();
        await Watermarks.PrepareAsync(_session, IoMode.Async, Cancelled);
        _nodes.TimesProbed(2).ShouldBe(2, "a reported loss is resolved");
    }

    [Fact(Timeout = Patience)]
    public async Task A_position_that_is_ahead_of_every_node_may_be_lost()
    {
        await StartAsync();
        _session.Resume(Position(230, timeline: 2));
        _nodes.AnswerAlways(0, Primary(180));
        _nodes.AnswerAlways(1, Replica(150));
        _nodes.AnswerAlways(2, Replica(150));
        await Watermarks.PrepareAsync(_session, IoMode.Async, Cancelled);

        _lost.ShouldHaveSingleItem().IsCertain.ShouldBeFalse();
        _session.Written.ShouldBe(Position(180));
    }

    [Fact(Timeout = Patience)]
    public async Task A_loss_is_thrown_once_if_ThrowOnLostWrite_is_set()
    {
        await StartAsync(throwOnLoss: true);
        _session.NoteLoss(LostWrite.Of(Position(1), isCertain: true, wasWritten: true, "of a test"));

        Should.Throw<LostWriteException>(() => Watermarks.Validate(_session)).Lost.ShouldBe(_lost.Single());
        Watermarks.Validate(_session);
    }

    private async Task SeeOnThirdAndPromoteSecondAsync()
    {
        var monitor = _source!.Cluster.Monitor;
        _session.Observe(monitor.Snapshot.Nodes[2], onPrimary: false);
        _nodes.AnswerAlways(0, Silence);
        _nodes.AnswerAlways(1, Primary(300, timeline: 2));
        await monitor.SampleAsync(0, Cancelled);
        await monitor.SampleAsync(1, Cancelled);
        monitor.Snapshot.Primary!.Name.ShouldBe("pg-2");
    }

    private void PromoteSecond()
    {
        _nodes.AnswerAlways(0, Silence);
        _nodes.AnswerAlways(1, Primary(300, timeline: 2));
        _nodes.AnswerAlways(2, Replica(300, timeline: 2));
    }

    /// <summary>Starts with the primary at 100. Further probes stay open until the test answers them.</summary>
    private async Task StartAsync(ProbeAnswer? replicas = null, int maxWaiting = 1_000, TimeSpan? readWait = null, bool throwOnLoss = false)
    {
        var builder = new TidemarkDataSourceBuilder
        {
            TimeProvider = _time, ProbeNodes = _nodes.QueryAsync, QueryBackends = (_, _) => Task.FromResult(_gone),
                QueryTransactions = (_, _) => Task.FromResult(_ended),
        };
        (builder.Options.ReadWait, builder.Options.MaxWaitingReads, builder.Options.ThrowOnLostWrite) =
            (readWait ?? ReadWait, maxWaiting, throwOnLoss);
        foreach (var name in new[] { "pg-1", "pg-2", "pg-3" }) builder.AddNode(name, "Host=none.invalid");
        _source = builder.Build();
        _source.WriteLost += (_, lostWrite) => _lost.Add(lostWrite);
        _nodes.Answer(0, Primary(100));
        await _source.Cluster.Monitor.SnapshotWhen(s => s.Primary is not null);
        _nodes.Answer(1, replicas ?? Replica(100));
        _nodes.Answer(2, replicas ?? Replica(100));
        await _source.Cluster.Monitor.FirstRoundAsync(Cancelled);
    }
}
