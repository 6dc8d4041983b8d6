using System.Net.Sockets;
using Npgsql;

namespace Tidemark;

public sealed class ReadFailuresTests
{
    [Theory]
    [InlineData("57P01", ReadFailure.NodeLost, ReadFailure.NodeLost)] // admin_shutdown
    [InlineData("57P02", ReadFailure.NodeLost, ReadFailure.NodeLost)] // crash_shutdown
    [InlineData("57P03", ReadFailure.NodeLost, ReadFailure.NodeLost)] // cannot_connect_now
    [InlineData("08006", ReadFailure.NodeLost, ReadFailure.NodeLost)] // connection_failure
    [InlineData("08P01", ReadFailure.NodeLost, ReadFailure.NodeLost)] // protocol_violation
    [InlineData("53300", ReadFailure.TryAnotherNode, ReadFailure.TryAnotherNode)] // too_many_connections
    [InlineData("25006", ReadFailure.Writes, ReadFailure.Writes)] // read_only_sql_transaction
    [InlineData("40001", ReadFailure.TryAnotherNode, ReadFailure.CallersOwn)] // serialization_failure: on a standby, recovery
    [InlineData("57P04", ReadFailure.TryAnotherNode, ReadFailure.CallersOwn)] // database_dropped
    [InlineData("0A000", ReadFailure.NeedsPrimary, ReadFailure.CallersOwn)] // feature_not_supported
    [InlineData("55000", ReadFailure.NeedsPrimary, ReadFailure.CallersOwn)] // object_not_in_prerequisite_state
    [InlineData("42P01", ReadFailure.NeedsPrimary, ReadFailure.CallersOwn)] // undefined_table
    [InlineData("42703", ReadFailure.NeedsPrimary, ReadFailure.CallersOwn)] // undefined_column
    [InlineData("42883", ReadFailure.NeedsPrimary, ReadFailure.CallersOwn)] // undefined_function
    [InlineData("3F000", ReadFailure.NeedsPrimary, ReadFailure.CallersOwn)] // invalid_schema_name
    [InlineData("42704", ReadFailure.NeedsPrimary, ReadFailure.CallersOwn)] // undefined_object
    [InlineData("23505", ReadFailure.CallersOwn, ReadFailure.CallersOwn)] // unique_violation
    [InlineData("40P01", ReadFailure.CallersOwn, ReadFailure.CallersOwn)] // deadlock_detected
    [InlineData("42601", ReadFailure.CallersOwn, ReadFailure.CallersOwn)] // syntax_error
    [InlineData("57014", ReadFailure.CallersOwn, ReadFailure.CallersOwn)] // query_canceled
    [InlineData("28P01", ReadFailure.CallersOwn, ReadFailure.CallersOwn)] // invalid_password
    public void What_the_server_answers_is_sorted_by_its_code(string sqlState, object onReplica, object onPrimary)
    {
        var answer = new PostgresException("no", "ERROR", "ERROR", sqlState);

        ReadFailures.Classify(answer, onReplica: true, isOpen: true).ShouldBe((ReadFailure)onReplica);
        ReadFailures.Classify(answer, onReplica: false, isOpen: true).ShouldBe((ReadFailure)onPrimary);
    }

    [Fact]
    public void A_connection_that_breaks_is_a_node_lost()
    {
        Classify(new NpgsqlException("Exception while reading from stream", new IOException()), isOpen: true).ShouldBe(ReadFailure.NodeLost);
        Classify(new NpgsqlException("Exception while reading from stream", new EndOfStreamException()), isOpen: true).ShouldBe(ReadFailure.NodeLost);
        Classify(new NpgsqlException("Failed to connect to 10.0.0.1:5432", new SocketException(111)), isOpen: false).ShouldBe(ReadFailure.NodeLost);
        Classify(new SocketException(111), isOpen: false).ShouldBe(ReadFailure.NodeLost);
    }

    [Theory]
    [InlineData("The connection pool has been exhausted, either raise 'Max Pool Size' (currently 100)")]
    [InlineData("Failed to connect to 10.0.0.1:5432")]
    [InlineData("The operation has timed out")]
    [InlineData("Exception while reading from stream")] // a paused server takes the connection and never greets
    public void Time_that_runs_out_before_the_connection_is_open_is_the_nodes(string message) =>
        Classify(new NpgsqlException(message, new TimeoutException()), isOpen: false).ShouldBe(ReadFailure.TryAnotherNode);

    [Theory]
    [InlineData("Exception while reading from stream")]
    [InlineData("Exception while writing to stream")]
    [InlineData("worded otherwise in a later version")]
    public void Time_that_runs_out_on_an_open_connection_is_the_callers(string message) =>
        Classify(new NpgsqlException(message, new TimeoutException()), isOpen: true).ShouldBe(ReadFailure.CallersOwn);

    [Fact]
    public void A_caller_who_gives_up_is_not_answered_by_another_node()
    {
        Classify(new OperationCanceledException(), isOpen: false).ShouldBe(ReadFailure.CallersOwn);
        Classify(new InvalidOperationException(), isOpen: true).ShouldBe(ReadFailure.CallersOwn);
    }

    private static ReadFailure Classify(Exception failure, bool isOpen) => ReadFailures.Classify(failure, onReplica: true, isOpen);
}
