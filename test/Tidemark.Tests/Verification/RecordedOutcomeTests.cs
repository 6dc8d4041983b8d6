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
    public void An_error_is_a_failed_write_unless_the_session_was_ended(string state, HistoryOutcome outcome)
    {
        var error = new PostgresException("message", "ERROR", "ERROR", state);

        RecordedClient.OutcomeOf(error).ShouldBe(outcome);
        RecordedClient.OutcomeOf(new InvalidOperationException("wrapped, as by EF Core", error)).ShouldBe(outcome);
    }

    [Fact]
    public void A_broken_connection_is_unknown_and_a_missing_primary_is_failed()
    {
        RecordedClient.OutcomeOf(new NpgsqlException("broken", new IOException())).ShouldBe(HistoryOutcome.Unknown);
        RecordedClient.OutcomeOf(new TimeoutException()).ShouldBe(HistoryOutcome.Unknown);
        RecordedClient.OutcomeOf(new OperationCanceledException()).ShouldBe(HistoryOutcome.Unknown);
        RecordedClient.OutcomeOf(new RoutingException("no primary")).ShouldBe(HistoryOutcome.Failed);
    }
}
