using Npgsql;
using Tidemark.Verification;

namespace Tidemark;

public sealed class RecordedOutcomeTests
{
    [Theory]
    [InlineData("25006", HistoryOutcome.Failed)]
    [InlineData("40001", HistoryOutcome.Failed)]
    [InlineData("57P01", HistoryOutcome.Unknown)]
    [InlineData("57014", HistoryOutcome.Unknown)]
    [InlineData("08006", HistoryOutcome.Unknown)]
    public void A_server_that_refuses_a_write_tells_its_outcome_and_one_that_ends_the_session_does_not(string state, HistoryOutcome outcome)
    {
        var error = new PostgresException("message", "ERROR", "ERROR", state);

        RecordedClient.OutcomeOf(error).ShouldBe(outcome);
        RecordedClient.OutcomeOf(new InvalidOperationException("wrapped, as by EF Core", error)).ShouldBe(outcome);
    }

    [Fact]
    public void A_connection_that_broke_tells_nothing_and_a_router_without_a_primary_sent_nothing()
    {
        RecordedClient.OutcomeOf(new NpgsqlException("broken", new IOException())).ShouldBe(HistoryOutcome.Unknown);
        RecordedClient.OutcomeOf(new TimeoutException()).ShouldBe(HistoryOutcome.Unknown);
        RecordedClient.OutcomeOf(new OperationCanceledException()).ShouldBe(HistoryOutcome.Unknown);
        RecordedClient.OutcomeOf(new RoutingException("no primary")).ShouldBe(HistoryOutcome.Failed);
    }
}
