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
    public void A_read_tries_the_other_replica_then_the_primary_then_fails_naming_all()
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
    public async Task A_read_that_cannot_stay_on_its_node_after_a_promotion_needs_a_sample()
    {
        // pg-3 has replayed 140. What was read from it since the last probe may be after the fork.
        _session.Observe(_source.Cluster.Monitor.Snapshot.Nodes[2], onPrimary: false);
        _answers[0] = Silence;
        _answers[1] = Primary(position: 200, timeline: 2) with { Forks = [new Fork(1, 2, At(150), At(150))] };
        await _source.Cluster.Monitor.SampleAsync(0, TestContext.Current.CancellationToken);
        await _source.Cluster.Monitor.SampleAsync(1, TestContext.Current.CancellationToken);
        _session.BeginWrite();
        _session.EndWrite(_source.Cluster.Monitor.Snapshot.Nodes[1], new KnownPosition(Position(200, timeline: 2), 0), isInDoubt: false);

        var attempts = Attempts(_session, Consistency.Session);
        attempts.NeedsSample.ShouldNotBeNull("the primary must not answer before the loss of what the session observed is reported");
    }

    [Fact]
    public void A_statement_that_writes_moves_to_the_primary_and_is_not_retried_there()
    {
        var attempts = Begin();
        attempts.Next();
        attempts.Absorb(Writes, isOpen: true).ShouldBeTrue();

        attempts.IsWrite.ShouldBeTrue();
        attempts.Next().ShouldSatisfyAllConditions(d => d.Node.ShouldBe("pg-1"), d => d.Reason.ShouldBe(RouteReason.RetriedOnPrimary));
        attempts.Absorb(Lost, isOpen: true).ShouldBeFalse("it may have been executed");
    }

    [Fact]
    public void A_text_that_wrote_before_goes_to_the_primary_unless_it_names_a_node()
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
    public void A_read_that_requires_the_primary_reports_the_reason()
    {
        var attempts =
            new ReadAttempts(
                _source.Cluster, new ReadRequest(_session, Consistency.Strong) { StrongBecause = RouteReason.EntityRule });
        attempts.Next().ShouldSatisfyAllConditions(d => d.Node.ShouldBe("pg-1"), d => d.Reason.ShouldBe(RouteReason.EntityRule));
    }

    [Fact]
    public void A_named_node_that_is_behind_is_waited_for_once()
    {
        BeginBehind(out var position);
        var attempts = Attempts(_session, Consistency.ReadYourWrites, "pg-2") with { MayWait = true };
        attempts.Next().Reason.ShouldBe(RouteReason.NamedNode, "it keeps up, so it is tried");
        attempts.GiveUp(ConnectionCheck.Position, activity: null);
        attempts.Next().Node.ShouldBeNull();
        attempts.WaitsFor.ShouldBe(position);

        var caughtUp = attempts;
        caughtUp.Waited(caughtUp: true);
        caughtUp.Next().Node.ShouldBe("pg-2");

        attempts.Waited(caughtUp: false);
        var error = ErrorOfNext(attempts);
        error.Message.ShouldContain("cannot leave 'pg-2'");
        error.Decision.Rejected.Single(r => r.Node == "pg-2").Reason.ShouldBe(RejectionReason.Behind);

        var impatient = Attempts(_session, Consistency.ReadYourWrites, "pg-2");
        impatient.Next();
        impatient.GiveUp(ConnectionCheck.Position, activity: null);
        ErrorOfNext(impatient);
    }

    [Fact]
    public void A_statement_that_a_replica_cannot_run_moves_to_the_primary_as_a_read_first()
    {
        var attempts = Begin();
        attempts.Next();
        attempts.Absorb(NeedsPrimary, isOpen: true).ShouldBeTrue();
        attempts.IsWrite.ShouldBeFalse();
        attempts.Next().Node.ShouldBe("pg-1");
        attempts.Absorb(NeedsPrimary, isOpen: true).ShouldBeFalse("the primary's error is final");

        attempts.Absorb(Writes, isOpen: true).ShouldBeTrue();
        attempts.IsWrite.ShouldBeTrue();
    }

    [Fact]
    public void A_statement_that_must_not_write_fails_with_its_own_error()
    {
        var attempts = new ReadAttempts(
            _source.Cluster, new ReadRequest(Session: null, Consistency.ReadYourWrites) { MustNotWrite = true });
        attempts.Next();
        attempts.Absorb(Writes, isOpen: false).ShouldBeFalse();
        attempts.IsWrite.ShouldBeFalse();
    }

    [Fact]
    public void A_read_whose_caller_cannot_wait_does_not_wait_for_a_replica()
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
    public void A_read_tries_other_nodes_after_a_replica_ran_out_of_memory_or_disk()
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
    public void The_callers_own_errors_are_not_retried()
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
        attempts.Refusal.ShouldNotBeNull().Message.ShouldContain("directed to 'pg-3' for reading, which is a replica");

        attempts.Absorb(Lost, isOpen: true).ShouldBeTrue();
        attempts.Next().Node.ShouldBe("pg-3", "its pooled connection broke, but it may have been old");
        attempts.Absorb(Lost, isOpen: true).ShouldBeTrue();
        ErrorOfNext(attempts).Message.ShouldContain("this read requires node 'pg-3'");
    }

    [Fact]
    public void The_requirement_is_derived_again_for_each_attempt()
    {
        using var session = new ConsistencySession();
        var attempts = Attempts(session, Consistency.ReadYourWrites);
        attempts.Next().Role.ShouldBe(NodeRole.Replica);
        session.MarkWritten();

        attempts.Next().Reason.ShouldBe(RouteReason.WrittenPositionUnknown);
    }

    [Fact]
    public async Task A_read_that_finds_every_replica_behind_waits_for_one_to_catch_up()
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
    public void A_read_whose_wait_fails_goes_to_the_primary_and_does_not_wait_again()
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
    public void A_replica_that_did_not_really_catch_up_is_not_waited_for_again()
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
    public void A_read_without_a_required_position_does_not_wait()
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
    public void A_session_that_cannot_verify_its_node_needs_a_sample()
    {
        using var session = new ConsistencySession();
        session.Observe(_source.Cluster.Monitor.Snapshot.Nodes[2], onPrimary: false);
        var attempts = Attempts(session, Consistency.Session);
        attempts.NeedsSample.ShouldBeNull();
        attempts.Next().ShouldSatisfyAllConditions(d => d.Node.ShouldBe("pg-3"), d => d.Reason.ShouldBe(RouteReason.StaysOnReplica));

        attempts.GiveUp(ConnectionCheck.TooYoung, activity: null);
        attempts.NeedsSample.ShouldNotBeNull();
        attempts.Next().Reason.ShouldBe(RouteReason.ObservedPositionUnknown, "there was no sample");
    }

    [Fact]
    public void A_named_node_does_not_serve_a_session_that_may_have_observed_more_elsewhere()
    {
        using var session = new ConsistencySession();
        session.Observe(_source.Cluster.Monitor.Snapshot.Nodes[2], onPrimary: false);
        var attempts = Attempts(session, Consistency.MonotonicReads, "pg-2");
        var mark = attempts.NeedsSample.ShouldNotBeNull("pg-2 can only be evaluated by a position");
        ErrorOfNext(attempts).Decision.Rejected.ShouldNotBeEmpty();

        session.Resolve(mark, _source.Cluster.Monitor.Snapshot.Primary!, _source.Cluster.Monitor.Snapshot);
        attempts.Next().Node.ShouldBe("pg-2");
    }

    [Fact]
    public void A_session_that_reads_on_the_primary_needs_a_sample_only_for_another_named_node()
    {
        _session.BeginObservation(_source.Cluster.Monitor.Snapshot.Nodes[0], onPrimary: true, connection: null);

        Attempts(_session, Consistency.Session).NeedsSample.ShouldBeNull("it can go there too");
        Attempts(_session, Consistency.Session, "pg-2").NeedsSample.ShouldNotBeNull();
    }

    [Fact]
    public void A_statement_that_moved_to_the_primary_needs_no_sample()
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
    public void A_node_whose_connection_leads_to_another_cluster_is_excluded()
    {
        var attempts = Begin();
        var first = attempts.Next().Node;
        attempts.GiveUp(ConnectionCheck.Identify, activity: null);

        var second = attempts.Next().Node;
        attempts.GiveUp(ConnectionCheck.Identify, activity: null);
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
    public async Task A_single_node_is_verified_first_only_for_a_session_with_watermarks()
    {
        var builder = new TidemarkDataSourceBuilder { ProbeNodes = (_, _) => Task.FromResult(Primary()) };
        await using var lone = builder.AddNode("pg-1", "Host=none.invalid").Build();
        ReadAttempts Begin(ConsistencySession? session) => new(lone.Cluster, new ReadRequest(session, Consistency.Session));

        Begin(session: null).MustVerifyFirst.ShouldBeFalse();
        Begin(_session).MustVerifyFirst.ShouldBeFalse();
        _session.MarkWritten();
        Begin(_session).MustVerifyFirst.ShouldBeTrue();
        Attempts(_session, Consistency.Session).MustVerifyFirst.ShouldBeFalse("several nodes");
    }

    [Fact]
    public async Task Without_a_primary_a_named_node_serves_only_sessions_that_have_read_there()
    {
        using var session = new ConsistencySession();
        session.Observe(_source.Cluster.Monitor.Snapshot.Nodes[2], onPrimary: false);
        _answers[0] = Silence;
        await _source.Cluster.Monitor.SampleAsync(0, TestContext.Current.CancellationToken);

        var there = Attempts(session, Consistency.MonotonicReads, "pg-3");
        there.NeedsSample.ShouldBeNull();
        there.Next().Node.ShouldBe("pg-3");
        there.GiveUp(ConnectionCheck.TooYoung, activity: null);
        ErrorOfNext(there).ShouldNotBeNull("otherwise the attempts would never end");

        ErrorOfNext(Attempts(session, Consistency.MonotonicReads, "pg-2"))
            .Decision.Rejected.Single(r => r.Node == "pg-2").Reason.ShouldBe(RejectionReason.ObservedElsewhere);
    }

    /// <summary>The replicas keep up, but lack what the session wrote.</summary>
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
