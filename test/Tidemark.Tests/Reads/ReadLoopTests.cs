using Tidemark.Testing;
using static Tidemark.Snapshots;

namespace Tidemark;

public sealed class ReadLoopTests : IAsyncDisposable
{
    private readonly ProbeAnswer[] _answers = [Primary(100), Replica()];
    private readonly ConsistencySession _session = new();
    private readonly List<LostWrite> _lost = [];
    private readonly TidemarkDataSource _source;

    public ReadLoopTests()
    {
        var builder =
            new TidemarkDataSourceBuilder { TimeProvider = new VirtualTime(), ProbeNodes = (index, _) => Task.FromResult(_answers[index]) };
        foreach (var name in new[] { "pg-1", "pg-2" }) builder.AddNode(name, "Host=none.invalid");
        _source = builder.Build();
        _source.WriteLost += (_, lostWrite) => _lost.Add(lostWrite);
        _source.Cluster.Monitor.FirstRound();
    }

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync()
    {
        _session.Dispose();
        return _source.DisposeAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_crash_loss_is_reported_before_the_primary_answers_on_a_new_connection(bool isAsync)
    {
        WriteUpTo(150);
        CrashBackTo(120);

        (await ReadAsync(new Operation(this), isAsync)).LostWhenSent.ShouldBe(1);
        _lost.ShouldHaveSingleItem().IsCertain.ShouldBeTrue();
    }

    [Fact]
    public async Task A_connection_that_a_probe_has_verified_needs_no_further_probe()
    {
        var operation = new Operation(this);
        WriteUpTo(150);
        await ReadAsync(operation, isAsync: true);
        var probesSent = _source.Cluster.Monitor.ProbesSent;

        (await ReadAsync(operation, isAsync: true)).LostWhenSent.ShouldBe(0);
        _source.Cluster.Monitor.ProbesSent.ShouldBe(probesSent, "the second read on it costs no probe");
    }

    [Fact]
    public async Task A_session_without_watermarks_does_not_wait_for_a_probe()
    {
        var probesSent = _source.Cluster.Monitor.ProbesSent;
        await ReadAsync(new Operation(this), isAsync: true);

        _source.Cluster.Monitor.ProbesSent.ShouldBe(probesSent);
    }

    private void WriteUpTo(ulong position)
    {
        _session.BeginWrite();
        _session.EndWrite(_source.Cluster.Monitor.Snapshot.Nodes[0], new KnownPosition(Position(position), 0));
    }

    // The last probe reported 100 as flushed. What an asynchronous commit wrote after that is lost beyond the position.
    private void CrashBackTo(ulong position) => _answers[0] = Primary(position) with { Epoch = Run(2) };

    private ValueTask<Operation> ReadAsync(Operation operation, bool isAsync) => ReadLoop.RunAsync(
        _source.Watermarks, new ReadRequest(_session, Consistency.Strong), operation, isAsync ? IoMode.Async : IoMode.Blocking, Cancelled);

    /// <summary>Reads on one connection, opened before the first read.</summary>
    private sealed class Operation(ReadLoopTests test) : IReadOperation<Operation>
    {
        private readonly object _connection = new();
        private int _node;

        public int LostWhenSent { get; private set; } = -1;

        public bool RunsCallersCommand => true;

        public bool MayHaveWritten => false;

        public ValueTask<ConnectionCheck> OpenAsync(RouteDecision decision, bool isWrite, IoMode io, CancellationToken cancellationToken)
        {
            _node = decision.NodeIndex;
            var lease = test._source.Cluster.LeaseRead(decision, session: null);
            lease.Opened(_connection);
            return ValueTask.FromResult(test._source.Cluster.CheckOf(lease, decision));
        }

        public ValueTask<Operation?> SendAsync(ReadProof? proof, IoMode io, CancellationToken cancellationToken)
        {
            var server = test._answers[_node];
            var check = new CheckAnswer(server.IsInRecovery, server.Lsn, server.Timeline, 0, Ours, server.Epoch);
            if (proof?.Take(_connection, check, sentAt: 0) == false) return ValueTask.FromResult<Operation?>(null);
            LostWhenSent = test._lost.Count;
            return ValueTask.FromResult<Operation?>(this);
        }

        public void Deliver()
        {
        }

        public ValueTask CloseAsync(IoMode io) => ValueTask.CompletedTask;
    }
}
