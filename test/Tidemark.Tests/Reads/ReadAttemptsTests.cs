using Npgsql;
using static Tidemark.Snapshots;

namespace Tidemark;

public sealed class ReadAttemptsTests : IAsyncDisposable
{
    private static readonly Exception Lost = new NpgsqlException("lost", new IOException());
    private static readonly Exception TooSlow = new NpgsqlException("too slow", new TimeoutException());
    private static readonly Exception Writes = Answer("25006");
    private static readonly Exception NeedsPrimary = Answer("42P01");
    private static readonly Exception Broken = Answer("42601");

    private readonly ProbeAnswer[] _answers = [Primary(), Replica(), Replica()];
    private readonly ConsistencySession _session = new();
    private readonly TidemarkDataSource _source;

    public ReadAttemptsTests()
    {
        var builder = new TidemarkDataSourceBuilder { ProbeNodes = (index, _) => Task.FromResult(_answers[index]), Seed = 1 };
        foreach (var name in new[] { "pg-1", "pg-2", "pg-3" }) builder.AddNode(name, "Host=none.invalid");
        _source = builder.Build();
        _source.Cluster.Monitor.FirstRound();
    }

    public ValueTask DisposeAsync()
    {
        _session.Dispose();
        return _source.DisposeAsync();
    }

    [Fact]
    public void A_lost_replica_is_followed_by_the_other_then_by_the_primary_then_by_an_error_that_names_all()
    {
        var attempts = Begin();
        var first = attempts.Next().Node;
        attempts.Absorb(Lost, isOpen: true).ShouldBeTrue();
        var second = attempts.Next().Node;
        attempts.Absorb(TooSlow, isOpen: false).ShouldBeTrue();

        new[] { first, second }.Order().ShouldBe(["pg-2", "pg-3"]);
        attempts.Next().Reason.ShouldBe(RouteReason.NoReplicaCanServe);
        attempts.Absorb(Lost, isOpen: false).ShouldBeTrue();
        attempts.Next().Node.ShouldBe(first, "a pooled connection that broke says little about its node");
        attempts.Absorb(Lost, isOpen: true).ShouldBeTrue();

        var error = ErrorOfNext(attempts);
        error.InnerException.ShouldBe(Lost);
        error.Decision.Rejected.ShouldAllBe(r => r.Reason == RejectionReason.FailedDuringRead);
    }

    [Fact]
    public async Task A_read_that_cannot_stay_where_its_session_read_before_a_promotion_asks_first_what_became_of_that()
    {
        // pg-3 has replayed 140; what it showed since the monitor's last look may lie beyond the fork.
        _session.Observe(_source.Cluster.Monitor.Snapshot.Nodes[2], onPrimary: false);
        _answers[0] = Silence;
        _answers[1] = Primary(position: 200, timeline: 2) with { Forks = [new Fork(1, 2, At(150), At(150))] };
        await _source.Cluster.Monitor.SampleAsync(0, TestContext.Current.CancellationToken);
        await _source.Cluster.Monitor.SampleAsync(1, TestContext.Current.CancellationToken);
        _session.BeginWrite();
        _session.EndWrite(_source.Cluster.Monitor.Snapshot.Nodes[1], new LearnedPosition(Position(200, timeline: 2), 0), isInDoubt: false);

        var attempts = Attempts(_session, Consistency.Session);
        attempts.NeedsSample.ShouldNotBeNull("the primary is about to answer without a word about what the session saw");
    }

    [Fact]
    public void A_statement_that_writes_moves_to_the_primary_once_and_is_never_repeated_there()
    {
        var attempts = Begin();
        attempts.Next();
        attempts.Absorb(Writes, isOpen: true).ShouldBeTrue();

        attempts.IsWrite.ShouldBeTrue();
        attempts.Next().ShouldSatisfyAllConditions(d => d.Node.ShouldBe("pg-1"), d => d.Reason.ShouldBe(RouteReason.RepeatedOnPrimary));
        attempts.Absorb(Lost, isOpen: true).ShouldBeFalse("it may have been executed");
    }

    [Fact]
    public void A_statement_that_wrote_is_known_by_its_text_and_goes_to_the_primary_at_once_unless_it_names_a_node()
    {
        var first = BeginText("SELECT nextval('s')");
        first.Next();
        first.Absorb(Writes, isOpen: true).ShouldBeTrue();

        var second = BeginText("SELECT nextval('s')");
        second.IsWrite.ShouldBeTrue();
        second.Next().ShouldSatisfyAllConditions(d => d.Node.ShouldBe("pg-1"), d => d.Reason.ShouldBe(RouteReason.KnownToWrite));
        second.Absorb(Lost, isOpen: true).ShouldBeFalse("it may have been executed");

        BeginText("SELECT 1").IsWrite.ShouldBeFalse();
        BeginText("SELECT nextval('s')", onNode: "pg-2").Next().Node.ShouldBe("pg-2");
    }

    [Fact]
    public void A_read_that_asks_for_the_primary_says_who_asked()
    {
        var attempts =
            new ReadAttempts(
                _source.Cluster, new ReadRequest(_session, Consistency.Strong) { StrongBecause = RouteReason.EntityRule });
        attempts.Next().ShouldSatisfyAllConditions(d => d.Node.ShouldBe("pg-1"), d => d.Reason.ShouldBe(RouteReason.EntityRule));
    }

    [Fact]
    public void A_named_node_that_is_behind_is_waited_for_once_and_then_there_is_none()
    {
        BeginBehind(out var position);
        var attempts = Attempts(_session, Consistency.ReadYourWrites, "pg-2") with { MayWait = true };
        attempts.Next().Reason.ShouldBe(RouteReason.NamedNode, "it keeps up, and is asked");
        attempts.GiveUp(ConnectionCheck.Position, activity: null);
        attempts.Next().Node.ShouldBeNull();
        attempts.WaitsFor.ShouldBe(position);

        var caughtUp = attempts;
        caughtUp.Waited(caughtUp: true);
        caughtUp.Next().Node.ShouldBe("pg-2");

        attempts.Waited(caughtUp: false);
        var error = ErrorOfNext(attempts);
        error.Message.ShouldContain("never moves off 'pg-2'");
        error.Decision.Rejected.Single(r => r.Node == "pg-2").Reason.ShouldBe(RejectionReason.Behind);

        var impatient = Attempts(_session, Consistency.ReadYourWrites, "pg-2");
        impatient.Next();
        impatient.GiveUp(ConnectionCheck.Position, activity: null);
        ErrorOfNext(impatient);
    }

    [Fact]
    public void A_statement_the_replica_cannot_run_moves_to_the_primary_as_a_read_and_then_as_a_write()
    {
        var attempts = Begin();
        attempts.Next();
        attempts.Absorb(NeedsPrimary, isOpen: true).ShouldBeTrue();
        attempts.IsWrite.ShouldBeFalse();
        attempts.Next().Node.ShouldBe("pg-1");
        attempts.Absorb(NeedsPrimary, isOpen: true).ShouldBeFalse("the primary has the last word");

        attempts.Absorb(Writes, isOpen: true).ShouldBeTrue();
        attempts.IsWrite.ShouldBeTrue();
    }

    [Fact]
    public void That_a_statement_writes_is_the_callers_where_it_must_not()
    {
        var attempts = new ReadAttempts(
            _source.Cluster, new ReadRequest(Session: null, Consistency.ReadYourWrites) { MustNotWrite = true });
        attempts.Next();
        attempts.Absorb(Writes, isOpen: false).ShouldBeFalse();
        attempts.IsWrite.ShouldBeFalse();
    }

    [Fact]
    public void A_read_whose_caller_cannot_await_waits_for_no_replica()
    {
        var attempts = BeginBehind(out _) with { MayWait = false };
        for (var replica = 0; replica < 2; replica++)
        {
            attempts.Next();
            attempts.GiveUp(ConnectionCheck.Position, activity: null);
        }

        attempts.Next().Reason.ShouldBe(RouteReason.NoReplicaCanServe);
        attempts.WaitsFor.ShouldBeNull();
    }

    [Fact]
    public void A_replica_without_memory_or_disk_is_followed_by_other_nodes_and_the_last_error_is_the_callers()
    {
        var attempts = Begin();
        attempts.Next();
        attempts.Absorb(Answer("53200"), isOpen: true).ShouldBeTrue();
        attempts.Next();
        attempts.Absorb(Answer("58030"), isOpen: true).ShouldBeTrue();

        attempts.Next().Reason.ShouldBe(RouteReason.NoReplicaCanServe);
        attempts.Absorb(Answer("53100"), isOpen: true).ShouldBeFalse("the primary's error is the caller's");
    }

    [Fact]
    public void A_named_node_without_memory_or_disk_fails_with_its_own_error()
    {
        var attempts = new ReadAttempts(_source.Cluster, new ReadRequest(null, Consistency.Eventual, "pg-2"));
        attempts.Next();
        attempts.Absorb(Answer("XX001"), isOpen: true).ShouldBeFalse();
    }

    [Fact]
    public void The_callers_own_errors_are_not_repeated()
    {
        var attempts = Begin();
        attempts.Next();

        attempts.Absorb(Broken, isOpen: true).ShouldBeFalse();
        attempts.Absorb(TooSlow, isOpen: true).ShouldBeFalse();
        attempts.Absorb(new OperationCanceledException(), isOpen: false).ShouldBeFalse();
    }

    [Fact]
    public void A_read_of_a_named_node_stays_there()
    {
        var attempts = Begin(onNode: "pg-3");
        attempts.Next().Node.ShouldBe("pg-3");
        attempts.Absorb(NeedsPrimary, isOpen: true).ShouldBeFalse();
        attempts.Absorb(Writes, isOpen: true).ShouldBeFalse();
        attempts.Refusal.ShouldNotBeNull().Message.ShouldContain("aimed at 'pg-3' for reading, which is a replica");

        attempts.Absorb(Lost, isOpen: true).ShouldBeTrue();
        attempts.Next().Node.ShouldBe("pg-3", "its pooled connection broke, which may have been old");
        attempts.Absorb(Lost, isOpen: true).ShouldBeTrue();
        ErrorOfNext(attempts).Message.ShouldContain("this read asks for node 'pg-3'");
    }

    [Fact]
    public void What_the_session_must_read_is_asked_anew_at_each_attempt()
    {
        using var session = new ConsistencySession();
        var attempts = Attempts(session, Consistency.ReadYourWrites);
        attempts.Next().Role.ShouldBe(NodeRole.Replica);
        session.MarkWritten();

        attempts.Next().Reason.ShouldBe(RouteReason.WrittenPositionUnknown);
    }

    [Fact]
    public async Task A_read_that_finds_every_replica_behind_waits_once_and_takes_the_one_that_caught_up()
    {
        var attempts = BeginBehind(out var position);
        for (var replica = 0; replica < 2; replica++)
        {
            attempts.Next().Reason.ShouldBe(RouteReason.ReplicaToVerify);
            attempts.WaitsFor.ShouldBeNull();
            attempts.GiveUp(ConnectionCheck.Position, activity: null);
        }

        attempts.Next().Reason.ShouldBe(RouteReason.NoReplicaCanServe);
        attempts.WaitsFor.ShouldBe(position);

        _answers[2] = Replica(150);
        await _source.Cluster.Monitor.SampleAsync(2, TestContext.Current.CancellationToken);
        attempts.Waited(caughtUp: true);
        attempts.Next().ShouldSatisfyAllConditions(d => d.Node.ShouldBe("pg-3"), d => d.Reason.ShouldBe(RouteReason.ReplicaCaughtUp));
        attempts.WaitsFor.ShouldBeNull();
    }

    [Fact]
    public void A_read_that_waited_in_vain_goes_to_the_primary_and_does_not_wait_again()
    {
        var attempts = BeginBehind(out _);
        for (var replica = 0; replica < 2; replica++)
        {
            attempts.Next();
            attempts.GiveUp(ConnectionCheck.Position, activity: null);
        }

        attempts.Next();
        attempts.Waited(caughtUp: false);

        attempts.Next().ShouldSatisfyAllConditions(d => d.Node.ShouldBe("pg-1"), d => d.Reason.ShouldBe(RouteReason.NoReplicaCanServe));
        attempts.WaitsFor.ShouldBeNull();
    }

    [Fact]
    public void A_replica_that_only_seemed_to_catch_up_is_given_up_for_good()
    {
        var attempts = BeginBehind(out _);
        for (var replica = 0; replica < 2; replica++)
        {
            attempts.Next();
            attempts.GiveUp(ConnectionCheck.Position, activity: null);
        }

        attempts.Next();
        attempts.Waited(caughtUp: true);
        for (var replica = 0; replica < 2; replica++)
        {
            attempts.Next().IsReplica.ShouldBeTrue();
            attempts.GiveUp(ConnectionCheck.Position, activity: null);
        }

        attempts.Next().Node.ShouldBe("pg-1");
        attempts.WaitsFor.ShouldBeNull();
    }

    [Fact]
    public void A_read_that_no_place_binds_does_not_wait()
    {
        var attempts = Begin();
        for (var replica = 0; replica < 2; replica++)
        {
            attempts.Next();
            attempts.Absorb(Lost, isOpen: true);
        }

        attempts.Next().Reason.ShouldBe(RouteReason.NoReplicaCanServe);
        attempts.WaitsFor.ShouldBeNull();
    }

    [Fact]
    public void A_session_stays_where_it_read_until_a_connection_there_proves_nothing_and_asks_for_a_sample_then()
    {
        using var session = new ConsistencySession();
        session.Observe(_source.Cluster.Monitor.Snapshot.Nodes[2], onPrimary: false);
        var attempts = Attempts(session, Consistency.Session);
        attempts.NeedsSample.ShouldBeNull();
        attempts.Next().ShouldSatisfyAllConditions(d => d.Node.ShouldBe("pg-3"), d => d.Reason.ShouldBe(RouteReason.StaysOnReplica));

        attempts.GiveUp(ConnectionCheck.TooYoung, activity: null);
        attempts.NeedsSample.ShouldNotBeNull();
        attempts.Next().Reason.ShouldBe(RouteReason.SeenPositionUnknown, "no sample came");
    }

    [Fact]
    public void A_named_node_serves_no_session_that_may_have_seen_more_on_another()
    {
        using var session = new ConsistencySession();
        session.Observe(_source.Cluster.Monitor.Snapshot.Nodes[2], onPrimary: false);
        var attempts = Attempts(session, Consistency.MonotonicReads, "pg-2");
        var mark = attempts.NeedsSample.ShouldNotBeNull("pg-2 can only be judged by a position");
        ErrorOfNext(attempts).Decision.Rejected.ShouldNotBeEmpty();

        session.Resolve(mark, _source.Cluster.Monitor.Snapshot.Primary!, _source.Cluster.Monitor.Snapshot);
        attempts.Next().Node.ShouldBe("pg-2");
    }

    [Fact]
    public void While_the_session_reads_on_the_primary_only_a_read_that_names_another_node_costs_a_sample()
    {
        _session.BeginObservation(_source.Cluster.Monitor.Snapshot.Nodes[0], onPrimary: true, connection: null);

        Attempts(_session, Consistency.Session).NeedsSample.ShouldBeNull("it can go there too");
        Attempts(_session, Consistency.Session, "pg-2").NeedsSample.ShouldNotBeNull();
    }

    [Fact]
    public void A_statement_that_moved_to_the_primary_waits_for_no_sample()
    {
        _session.Observe(_source.Cluster.Monitor.Snapshot.Nodes[1], onPrimary: false);
        _session.Observe(_source.Cluster.Monitor.Snapshot.Nodes[2], onPrimary: false);
        var attempts = Attempts(_session, Consistency.Session);
        attempts.NeedsSample.ShouldNotBeNull();
        attempts.Next();

        attempts.Absorb(Writes, isOpen: true).ShouldBeTrue();
        attempts.NeedsSample.ShouldBeNull("the primary has everything");
    }

    [Fact]
    public void A_node_whose_connection_leads_to_another_cluster_is_left_out()
    {
        var attempts = Begin();
        var first = attempts.Next().Node;
        attempts.GiveUp(ConnectionCheck.Learn, activity: null);

        var second = attempts.Next().Node;
        attempts.GiveUp(ConnectionCheck.Learn, activity: null);
        new[] { first, second }.Order().ShouldBe(["pg-2", "pg-3"]);
        attempts.Next().Node.ShouldBe("pg-1");
    }

    [Fact]
    public void A_primary_that_was_named_has_everything_and_is_not_waited_for()
    {
        _session.Resume(Position(150));
        var attempts = Attempts(_session, Consistency.ReadYourWrites, "pg-1") with { MayWait = true };

        attempts.Next().Node.ShouldBe("pg-1");
        attempts.WaitsFor.ShouldBeNull();
    }

    [Fact]
    public async Task A_lone_node_is_verified_first_only_for_a_session_that_has_something_to_lose()
    {
        var builder = new TidemarkDataSourceBuilder { ProbeNodes = (_, _) => Task.FromResult(Primary()) };
        await using var lone = builder.AddNode("pg-1", "Host=none.invalid").Build();
        ReadAttempts Begin(ConsistencySession? session) => new(lone.Cluster, new ReadRequest(session, Consistency.Session));

        Begin(session: null).MustVerifyFirst.ShouldBeFalse();
        Begin(_session).MustVerifyFirst.ShouldBeFalse();
        _session.MarkWritten();
        Begin(_session).MustVerifyFirst.ShouldBeTrue();
        Attempts(_session, Consistency.Session).MustVerifyFirst.ShouldBeFalse("it is not alone");
    }

    [Fact]
    public async Task Without_a_primary_a_named_node_serves_on_only_the_session_that_has_read_there()
    {
        using var session = new ConsistencySession();
        session.Observe(_source.Cluster.Monitor.Snapshot.Nodes[2], onPrimary: false);
        _answers[0] = Silence;
        await _source.Cluster.Monitor.SampleAsync(0, TestContext.Current.CancellationToken);

        var there = Attempts(session, Consistency.MonotonicReads, "pg-3");
        there.NeedsSample.ShouldBeNull();
        there.Next().Node.ShouldBe("pg-3");
        there.GiveUp(ConnectionCheck.TooYoung, activity: null);
        ErrorOfNext(there).ShouldNotBeNull("or the attempts would never end");

        ErrorOfNext(Attempts(session, Consistency.MonotonicReads, "pg-2"))
            .Decision.Rejected.Single(r => r.Node == "pg-2").Reason.ShouldBe(RejectionReason.SeenElsewhere);
    }

    /// <summary>The replicas keep up, and stand short of what the session wrote.</summary>
    private ReadAttempts BeginBehind(out WalPosition position)
    {
        position = Position(150);
        _session.Resume(position);
        return Attempts(_session, Consistency.ReadYourWrites) with { MayWait = true };
    }

    private ReadAttempts Begin(string? onNode = null) =>
        new(_source.Cluster, new ReadRequest(Session: null, Consistency.ReadYourWrites, onNode));

    private ReadAttempts Attempts(ConsistencySession? session, Consistency consistency, string? onNode = null) =>
        new(_source.Cluster, new ReadRequest(session, consistency, onNode));

    private ReadAttempts BeginText(string text, string? onNode = null) =>
        new(_source.Cluster, new ReadRequest(Session: null, Consistency.ReadYourWrites, onNode) { Text = text });

    private static RoutingException ErrorOfNext(ReadAttempts attempts) => Should.Throw<RoutingException>(() => attempts.Next());

    private static PostgresException Answer(string sqlState) => new("no", "ERROR", "ERROR", sqlState);
}
