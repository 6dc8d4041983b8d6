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
        var builder = new TidemarkDataSourceBuilder { TimeProvider = new VirtualTime(), AskNodes = (index, _) => Task.FromResult(_answers[index]) };
        _source = builder.AddNode("pg-1", _server.ConnectionString).AddNode("pg-2", _server.ConnectionString).Build();
    }

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await _source.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task A_young_connection_shows_what_the_read_must_include_until_a_probe_proves_it()
    {
        await using var connection = await OpenAsync();

        Check(new ReadRequirement { MustInclude = Place(90) }).ShouldBe(ConnectionCheck.Position);
        await ProbeAsync();
        Check(new ReadRequirement { MustInclude = Place(90) }).ShouldBe(ConnectionCheck.None);
        Check(new ReadRequirement { MustInclude = Place(110) }).ShouldBe(ConnectionCheck.Position);
    }

    [Fact]
    public async Task A_read_that_any_replica_may_serve_needs_no_check()
    {
        await using var connection = await OpenAsync();

        Check(default).ShouldBe(ConnectionCheck.None);
    }

    [Fact]
    public async Task A_bound_of_staleness_is_not_believed_of_a_young_connection()
    {
        // The server may have crashed since the probe, and a standby goes back then.
        var bounded = new ReadRequirement { CompleteSince = 0 };
        await using var connection = await OpenAsync();

        Check(bounded).ShouldBe(ConnectionCheck.Position);
        _source.Cluster.Decide(bounded).MustShow.ShouldBe(Place(100), "what made the node fresh enough");
        await ProbeAsync();
        Check(bounded).ShouldBe(ConnectionCheck.None);
    }

    [Fact]
    public async Task A_connection_stays_only_where_it_is_known_to_be_of_the_life_that_was_read_from()
    {
        await using var connection = await OpenAsync();
        var stay = new ReadRequirement { StayOn = new NodeEpoch(1, 1) };

        Check(stay).ShouldBe(ConnectionCheck.TooYoung);
        Check(stay with { OnNode = "pg-2" }).ShouldBe(ConnectionCheck.TooYoung, "though it was named");
        Check(stay with { StayConnection = connection.PostgresParameters }).ShouldBe(ConnectionCheck.None);
        await ProbeAsync();
        Check(stay).ShouldBe(ConnectionCheck.None);
    }

    [Fact]
    public void A_place_of_an_ancestor_is_to_be_shown_on_the_timeline_that_the_node_follows()
    {
        var snapshot = Of(Primary(200, timeline: 2) with { Forks = [new Fork(1, 2, At(100), At(100))] }, Replica(150, timeline: 2));

        new ReadOf(Include: 80).Decide(snapshot).MustShow.ShouldBe(Place(80, timeline: 2));
        new ReadOf(Include: 80).Decide(Of(Primary(200), Replica(150, timeline: 0))).MustShow.ShouldBe(Place(80));
        new ReadOf(Include: 300).Decide(Of(Primary(200), Silence)).MustShow.ShouldBeNull("the primary has everything");
    }

    private ConnectionCheck Check(ReadRequirement requirement) => _source.Cluster.CheckOf(_lease, _source.Cluster.Decide(requirement));

    /// <summary>Opens a connection to the replica, and has it seen for the first time.</summary>
    private async Task<NpgsqlConnection> OpenAsync()
    {
        await _source.Cluster.Monitor.FirstRoundAsync(Cancelled);
        await ProbeAsync();
        var connection = _source.Cluster.CreateRead(_source.Cluster.Decide(new ReadRequirement { OnNode = "pg-2" }), session: null, out _lease);
        await connection.OpenAsync(Cancelled);
        return connection;
    }

    // Time stands still, so no other probe is sent.
    private async Task ProbeAsync()
    {
        await _source.Cluster.Monitor.SampleAsync(0, Cancelled);
        await _source.Cluster.Monitor.SampleAsync(1, Cancelled);
    }
}
