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

    private readonly TidemarkDataSource _source;

    public ReadAttemptsTests()
    {
        ProbeAnswer[] answers = [Primary(), Replica(), Replica()];
        var builder = new TidemarkDataSourceBuilder { AskNodes = (index, _) => Task.FromResult(answers[index]), Seed = 1 };
        foreach (var name in new[] { "pg-1", "pg-2", "pg-3" }) builder.AddNode(name, "Host=none.invalid");
        _source = builder.Build();
        _source.Cluster.Monitor.FirstRound();
    }

    public ValueTask DisposeAsync() => _source.DisposeAsync();

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

        var error = ErrorOfNext(attempts);
        error.InnerException.ShouldBe(Lost);
        error.Decision.Rejected.ShouldAllBe(r => r.Reason == RejectionReason.FailedDuringRead);
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
        Should.Throw<RoutingException>(() => Begin("pg-3").AbsorbFirst(Writes)).Message.ShouldContain("aimed at 'pg-3' for reading, which is a replica");

        attempts.Absorb(Lost, isOpen: true).ShouldBeTrue();
        ErrorOfNext(attempts).Message.ShouldContain("this read asks for node 'pg-3'");
    }

    [Fact]
    public void What_the_session_must_read_is_asked_anew_at_each_attempt()
    {
        using var session = new ConsistencySession();
        var attempts = new ReadAttempts(_source.Cluster, session, Consistency.ReadYourWrites, onNode: null);
        attempts.Next().Role.ShouldBe(NodeRole.Replica);
        session.MarkWritten();

        attempts.Next().Reason.ShouldBe(RouteReason.WrittenPositionUnknown);
    }

    private ReadAttempts Begin(string? onNode = null) => new(_source.Cluster, session: null, Consistency.ReadYourWrites, onNode);

    private static RoutingException ErrorOfNext(ReadAttempts attempts) => Should.Throw<RoutingException>(() => attempts.Next());

    private static PostgresException Answer(string sqlState) => new("no", "ERROR", "ERROR", sqlState);
}

internal static class FirstAttempt
{
    public static bool AbsorbFirst(this ReadAttempts attempts, Exception failure)
    {
        attempts.Next();
        return attempts.Absorb(failure, isOpen: true);
    }
}
