using System.Net.Sockets;
using Npgsql;

namespace Tidemark;

public sealed class ReadFailuresTests
{
    [Theory]
    [InlineData("57P01", ReadFailure.NodeLost, ReadFailure.NodeLost)] // admin_shutdown
    [InlineData("57P02", ReadFailure.NodeLost, ReadFailure.NodeLost)] // crash_shutdown
    [InlineData("57P03", ReadFailure.NodeLost, ReadFailure.NodeLost)] // cannot_connect_now
    [InlineData("57P05", ReadFailure.NodeLost, ReadFailure.NodeLost)] // idle_session_timeout
    [InlineData("08006", ReadFailure.NodeLost, ReadFailure.NodeLost)] // connection_failure
    [InlineData("08P01", ReadFailure.NodeLost, ReadFailure.NodeLost)] // protocol_violation
    [InlineData("53300", ReadFailure.TryAnotherNode, ReadFailure.TryAnotherNode)] // too_many_connections
    [InlineData("53100", ReadFailure.NodeFault, ReadFailure.CallersOwn)] // disk_full
    [InlineData("53200", ReadFailure.NodeFault, ReadFailure.CallersOwn)] // out_of_memory
    [InlineData("58030", ReadFailure.NodeFault, ReadFailure.CallersOwn)] // io_error
    [InlineData("58P01", ReadFailure.NodeFault, ReadFailure.CallersOwn)] // undefined_file
    [InlineData("XX000", ReadFailure.NodeFault, ReadFailure.CallersOwn)] // internal_error
    [InlineData("XX001", ReadFailure.NodeFault, ReadFailure.CallersOwn)] // data_corrupted
    [InlineData("XX002", ReadFailure.NodeFault, ReadFailure.CallersOwn)] // index_corrupted
    [InlineData("53400", ReadFailure.CallersOwn, ReadFailure.CallersOwn)] // configuration_limit_exceeded: temp_file_limit
    [InlineData("25006", ReadFailure.Writes, ReadFailure.Writes)] // read_only_sql_transaction
    [InlineData("40001", ReadFailure.TryAnotherNode, ReadFailure.CallersOwn)] // serialization_failure: on a standby, recovery
    [InlineData("40P01", ReadFailure.TryAnotherNode, ReadFailure.CallersOwn)] // deadlock_detected: on a standby, with recovery
    [InlineData("57P04", ReadFailure.TryAnotherNode, ReadFailure.CallersOwn)] // database_dropped
    [InlineData("0A000", ReadFailure.NeedsPrimary, ReadFailure.CallersOwn)] // feature_not_supported
    [InlineData("55000", ReadFailure.NeedsPrimary, ReadFailure.CallersOwn)] // object_not_in_prerequisite_state
    [InlineData("42P01", ReadFailure.NeedsPrimary, ReadFailure.CallersOwn)] // undefined_table
    [InlineData("42703", ReadFailure.NeedsPrimary, ReadFailure.CallersOwn)] // undefined_column
    [InlineData("42883", ReadFailure.NeedsPrimary, ReadFailure.CallersOwn)] // undefined_function
    [InlineData("3F000", ReadFailure.NeedsPrimary, ReadFailure.CallersOwn)] // invalid_schema_name
    [InlineData("3D000", ReadFailure.NeedsPrimary, ReadFailure.CallersOwn)] // invalid_catalog_name
    [InlineData("42704", ReadFailure.NeedsPrimary, ReadFailure.CallersOwn)] // undefined_object
    [InlineData("23505", ReadFailure.CallersOwn, ReadFailure.CallersOwn)] // unique_violation
    [InlineData("22012", ReadFailure.CallersOwn, ReadFailure.CallersOwn)] // division_by_zero
    [InlineData("42601", ReadFailure.CallersOwn, ReadFailure.CallersOwn)] // syntax_error
    [InlineData("42501", ReadFailure.CallersOwn, ReadFailure.CallersOwn)] // insufficient_privilege
    [InlineData("54001", ReadFailure.CallersOwn, ReadFailure.CallersOwn)] // statement_too_complex
    [InlineData("55P03", ReadFailure.CallersOwn, ReadFailure.CallersOwn)] // lock_not_available
    [InlineData("57014", ReadFailure.CallersOwn, ReadFailure.CallersOwn)] // query_canceled
    [InlineData("28P01", ReadFailure.CallersOwn, ReadFailure.CallersOwn)] // invalid_password
    public void An_error_is_classified_by_its_code(string sqlState, object onReplica, object onPrimary)
    {
        foreach (var isOpen in (bool[])[true, false])
        {
            ReadFailures.Classify(Answer("ERROR", sqlState), onReplica: true, isOpen).ShouldBe((ReadFailure)onReplica);
            ReadFailures.Classify(Answer("ERROR", sqlState), onReplica: false, isOpen).ShouldBe((ReadFailure)onPrimary);
        }
    }

    // If the server ended the connection of a statement, the statement has no response, regardless of the code. This includes unlisted
    // codes.
    [Theory]
    [InlineData("FATAL", "57P01")]
    [InlineData("FATAL", "57P05")]
    [InlineData("FATAL", "25P03")] // idle_in_transaction_session_timeout
    [InlineData("FATAL", "25P04")] // transaction_timeout
    [InlineData("FATAL", "53200")]
    [InlineData("FATAL", "53400")]
    [InlineData("FATAL", "58030")]
    [InlineData("FATAL", "XX000")]
    [InlineData("FATAL", "40001")]
    [InlineData("FATAL", "99999")]
    [InlineData("PANIC", "XX000")]
    [InlineData("PANIC", "53100")]
    public void A_connection_that_the_server_ends_before_an_answer_counts_as_a_lost_node(string severity, string sqlState)
    {
        foreach (var onReplica in (bool[])[true, false])
            ReadFailures.Classify(Answer(severity, sqlState), onReplica, isOpen: true).ShouldBe(ReadFailure.NodeLost);
    }

    [Theory]
    [InlineData("57P03", ReadFailure.NodeLost, ReadFailure.NodeLost)]
    [InlineData("53300", ReadFailure.TryAnotherNode, ReadFailure.TryAnotherNode)]
    [InlineData("53400", ReadFailure.TryAnotherNode, ReadFailure.TryAnotherNode)]
    [InlineData("53200", ReadFailure.TryAnotherNode, ReadFailure.TryAnotherNode)]
    [InlineData("53100", ReadFailure.TryAnotherNode, ReadFailure.TryAnotherNode)]
    [InlineData("58P01", ReadFailure.TryAnotherNode, ReadFailure.TryAnotherNode)]
    [InlineData("XX001", ReadFailure.TryAnotherNode, ReadFailure.TryAnotherNode)]
    [InlineData("28P01", ReadFailure.CallersOwn, ReadFailure.CallersOwn)]
    [InlineData("28000", ReadFailure.CallersOwn, ReadFailure.CallersOwn)]
    [InlineData("42501", ReadFailure.CallersOwn, ReadFailure.CallersOwn)]
    [InlineData("3D000", ReadFailure.NeedsPrimary, ReadFailure.CallersOwn)]
    [InlineData("42704", ReadFailure.NeedsPrimary, ReadFailure.CallersOwn)] // an unknown start-up option
    public void A_rejected_connection_is_classified_by_its_code(string sqlState, object onReplica, object onPrimary)
    {
        ReadFailures.Classify(Answer("FATAL", sqlState), onReplica: true, isOpen: false).ShouldBe((ReadFailure)onReplica);
        ReadFailures.Classify(Answer("FATAL", sqlState), onReplica: false, isOpen: false).ShouldBe((ReadFailure)onPrimary);
    }

    [Fact]
    public void An_error_in_another_language_is_classified() =>
        ReadFailures.Classify(new PostgresException("Verbindung beendet", "SCHWERWIEGEND", "FATAL", "25P03"), onReplica: true, isOpen: true)
            .ShouldBe(ReadFailure.NodeLost);

    [Fact]
    public void A_connection_that_breaks_counts_as_a_lost_node()
    {
        Classify(new NpgsqlException("Exception while reading from stream", new IOException()), isOpen: true)
            .ShouldBe(ReadFailure.NodeLost);
        Classify(new NpgsqlException("Exception while reading from stream", new EndOfStreamException()), isOpen: true)
            .ShouldBe(ReadFailure.NodeLost);
        Classify(new NpgsqlException("Failed to connect to 10.0.0.1:5432", new SocketException(111)), isOpen: false)
            .ShouldBe(ReadFailure.NodeLost);
        Classify(new SocketException(111), isOpen: false).ShouldBe(ReadFailure.NodeLost);
    }

    [Theory]
    [InlineData("The connection pool has been exhausted, either raise 'Max Pool Size' (currently 100)")]
    [InlineData("Failed to connect to 10.0.0.1:5432")]
    [InlineData("The operation has timed out")]
    [InlineData("Exception while reading from stream")] // a paused server accepts the connection and sends no greeting
    public void A_timeout_before_the_connection_is_open_belongs_to_the_node(string message) =>
        Classify(new NpgsqlException(message, new TimeoutException()), isOpen: false).ShouldBe(ReadFailure.TryAnotherNode);

    [Theory]
    [InlineData("Exception while reading from stream")]
    [InlineData("Exception while writing to stream")]
    [InlineData("a different text in a later version")]
    public void A_timeout_on_an_open_connection_belongs_to_the_caller(string message) =>
        Classify(new NpgsqlException(message, new TimeoutException()), isOpen: true).ShouldBe(ReadFailure.CallersOwn);

    [Fact]
    public void A_cancelled_read_is_not_retried_on_another_node()
    {
        Classify(new OperationCanceledException(), isOpen: false).ShouldBe(ReadFailure.CallersOwn);
        Classify(new InvalidOperationException(), isOpen: true).ShouldBe(ReadFailure.CallersOwn);
    }

    private static PostgresException Answer(string severity, string sqlState) => new("no", severity, severity, sqlState);

    private static ReadFailure Classify(Exception failure, bool isOpen) => ReadFailures.Classify(failure, onReplica: true, isOpen);
}
