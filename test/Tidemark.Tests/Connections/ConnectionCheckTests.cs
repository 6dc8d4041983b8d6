using Npgsql;
using Tidemark.Testing;
using static Tidemark.Snapshots;

namespace Tidemark;

public sealed class ConnectionCheckTests : IAsyncDisposable
{
    private readonly FakeServer _server = new();
    private readonly ProbeAnswer[] _answers = [Primary(), Replica()];
    private readonly TidemarkDataSource _source;
    private ReadLease _lease = null!;

    public ConnectionCheckTests()
    {
        var builder =
            new TidemarkDataSourceBuilder { TimeProvider = new VirtualTime(), ProbeNodes = (index, _) => Task.FromResult(_answers[index]) };
        _source = builder.AddNode("pg-1", _server.ConnectionString).AddNode("pg-2", _server.ConnectionString).Build();
    }

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await _source.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task A_new_connection_must_prove_the_position_until_it_has_shown_its_epoch()
    {
        await using var connection = await OpenAsync();

        Check(new ReadRequirement { MustInclude = Position(90) }).ShouldBe(ConnectionCheck.Position);
        await ProbeAsync();
        Check(new ReadRequirement { MustInclude = Position(90) })
            .ShouldBe(ConnectionCheck.Position, "a probe may have reached another server at that address");
        Show(connection, Run(1));
        Check(new ReadRequirement { MustInclude = Position(90) }).ShouldBe(ConnectionCheck.None);
        Check(new ReadRequirement { MustInclude = Position(110) }).ShouldBe(ConnectionCheck.Position);
    }

    [Fact]
    public async Task A_connection_of_another_epoch_than_the_nodes_is_checked_each_time()
    {
        await using var connection = await OpenAsync();
        Show(connection, Run(2));

        Check(new ReadRequirement { MustInclude = Position(90) }).ShouldBe(ConnectionCheck.Position);
        Check(new ReadRequirement { CompleteSince = 0 }).ShouldBe(ConnectionCheck.Position);
        Check(new ReadRequirement { StayOn = new NodeEpoch(1, Run(1)) }).ShouldBe(ConnectionCheck.Epoch);
    }

    [Fact]
    public async Task A_read_that_any_replica_may_serve_only_records_the_epoch_of_its_connection()
    {
        await using var connection = await OpenAsync();

        Check(default).ShouldBe(ConnectionCheck.Identify);
        Show(connection, Run(1));
        Check(default).ShouldBe(ConnectionCheck.None);
    }

    [Fact]
    public async Task A_staleness_bound_must_be_proven_on_a_new_connection()
    {
        // The server may have crashed since the probe, and a standby goes back when that happens.
        var bounded = new ReadRequirement { CompleteSince = 0 };
        await using var connection = await OpenAsync();

        Check(bounded).ShouldBe(ConnectionCheck.Position);
        _source.Cluster.Decide(bounded).MustShow.ShouldBe(Position(100), "the position that made the node fresh enough");
        Show(connection, Run(1));
        Check(bounded).ShouldBe(ConnectionCheck.None);
    }

    [Fact]
    public async Task A_session_stays_only_on_a_connection_of_the_epoch_that_it_has_read_in()
    {
        await using var connection = await OpenAsync();
        var stay = new ReadRequirement { StayOn = new NodeEpoch(1, Run(1)) };

        Check(stay).ShouldBe(ConnectionCheck.Epoch);
        Check(stay with { OnNode = "pg-2" }).ShouldBe(ConnectionCheck.Epoch, "even if it was named");
        Check(stay with { StayConnection = connection.PostgresParameters }).ShouldBe(ConnectionCheck.Identify);
        Check(stay with { StayOn = new NodeEpoch(1, default) }).ShouldBe(ConnectionCheck.TooYoung, "the epoch is unknown");
        Show(connection, Run(1));
        Check(stay).ShouldBe(ConnectionCheck.None);
        Check(stay with { StayOn = new NodeEpoch(1, default) }).ShouldBe(ConnectionCheck.TooYoung);
    }

    [Fact]
    public void A_position_of_an_earlier_timeline_is_proven_on_the_timeline_of_the_node()
    {
        var snapshot = Of(Primary(200, timeline: 2) with { Forks = [new Fork(1, 2, At(100), At(100))] }, Replica(150, timeline: 2));

        new ReadOf(Include: 80).Decide(snapshot).MustShow.ShouldBe(Position(80, timeline: 2));
        new ReadOf(Include: 80).Decide(Of(Primary(200), Replica(150, timeline: 0))).MustShow.ShouldBe(Position(80));
        new ReadOf(Include: 300).Decide(Of(Primary(200), Silence)).MustShow.ShouldBeNull("the primary has everything");
    }

    private void Show(NpgsqlConnection connection, ServerEpoch epoch) => new ReadProof(
        _source.Cluster, _source.Cluster.Monitor.Snapshot.Nodes[1], Position: null, Epoch: null, OnPrimary: false, Ours)
        .Take(connection.PostgresParameters, new CheckAnswer(IsInRecovery: true, At(100), 1, 1, Ours, epoch), sentAt: 0).ShouldBeTrue();

    private ConnectionCheck Check(ReadRequirement requirement) => _source.Cluster.CheckOf(_lease, _source.Cluster.Decide(requirement));

    /// <summary>Opens a connection to the replica and uses it for the first time.</summary>
    private async Task<NpgsqlConnection> OpenAsync()
    {
        await _source.Cluster.Monitor.FirstRoundAsync(Cancelled);
        await ProbeAsync();
        var connection =
            _source.Cluster.CreateRead(_source.Cluster.Decide(new ReadRequirement { OnNode = "pg-2" }), session: null, out _lease);
        await connection.OpenAsync(Cancelled);
        return connection;
    }

    // Time does not advance, so no other probe is sent.
    private async Task ProbeAsync()
    {
        await _source.Cluster.Monitor.SampleAsync(0, Cancelled);
        await _source.Cluster.Monitor.SampleAsync(1, Cancelled);
    }
}
