using System.Data.Common;
using Npgsql;

namespace Tidemark;

/// <summary>What the caller passes to Tidemark carries the result and can be cancelled, as without Tidemark.</summary>
public sealed class CallersObjectsTests(StoreCluster shared) : IClassFixture<StoreCluster>
{
    private const string Update = "UPDATE items SET name = name WHERE false";

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(Update)]
    [InlineData("SELECT name FROM items WHERE false")]
    public async Task A_scalar_of_no_rows_is_null(string sql)
    {
        await using var command = shared.Source.CreateCommand(sql);
        (await command.ExecuteScalarAsync(Stop)).ShouldBeNull();
#pragma warning disable CA1849 // The synchronous way is tested too.
        command.ExecuteScalar().ShouldBeNull();
#pragma warning restore CA1849
    }

    public static TheoryData<string, bool> Waiting { get; } = new()
    {
        { "a write", false }, { "a write", true }, { "a write with rows", false }, { "a read", false }, { "a read", true },
        { "a checked read", false }, { "a checked read", true }, { "a batch", false }, { "a batch", true },
    };

    [Theory]
    [MemberData(nameof(Waiting))]
    public async Task Cancel_ends_a_statement_that_runs(string kind, bool isBlocking)
    {
        using var session = shared.Source.BeginSession();
        if (kind == "a checked read") await shared.Source.WriteAsync("INSERT INTO items (name) VALUES ('before')");
        if (kind == "a batch")
        {
            await using var batch = shared.Source.CreateBatch();
            var sleep = batch.CreateBatchCommand();
            sleep.CommandText = "SELECT pg_sleep(20)";
            batch.BatchCommands.Add(sleep);
            await ShouldBeCancelledAsync(batch.Cancel, batch.ExecuteNonQuery, () => batch.ExecuteNonQueryAsync(Stop), isBlocking);
            return;
        }

        const string text = "SELECT pg_sleep(20)";
        await using var command = kind.EndsWith("read", StringComparison.Ordinal)
            ? shared.Source.CreateReadCommand(text) : shared.Source.CreateCommand(text);
        if (kind == "a write with rows")
        {
            await ShouldBeCancelledAsync(command.Cancel, () => 0, async () =>
            {
                await using var reader = await command.ExecuteReaderAsync(Stop);
                return 0;
            }, isBlocking);
        }
        else
        {
            await ShouldBeCancelledAsync(command.Cancel, command.ExecuteNonQuery, () => command.ExecuteNonQueryAsync(Stop), isBlocking);
        }

        command.CommandText = "SELECT 1";
        (await command.ExecuteScalarAsync(Stop)).ShouldBe(1);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_command_without_a_timeout_takes_that_of_the_connection_string(bool isRead)
    {
        await using var source = TidemarkDataSource.Create($"{shared.Cluster.Primary.ConnectionString};Command Timeout=1");
        await using var command = isRead ? source.CreateReadCommand("SELECT pg_sleep(20)") : source.CreateCommand("SELECT pg_sleep(20)");
        var failure = await Should.ThrowAsync<NpgsqlException>(async () => await command.ExecuteNonQueryAsync(Stop));
        failure.InnerException.ShouldBeOfType<TimeoutException>();
    }

    [Fact]
    public async Task A_batch_of_the_data_source_returns_results_counts_and_output_parameters()
    {
        using var session = shared.Source.BeginSession();
        await using var batch = shared.Source.CreateBatch();
        var insert = Add(batch, "INSERT INTO items (name) VALUES ($1), ($1) RETURNING id");
        insert.Parameters.Add(new NpgsqlParameter { Value = "batch" });
        var update = Add(batch, "UPDATE items SET name = 'batched' WHERE name = 'batch'");

        await using (var reader = await batch.ExecuteReaderAsync(Stop))
        {
            (await reader.ReadAsync(Stop)).ShouldBeTrue();
            reader.GetInt32(0).ShouldBeGreaterThan(0);
            (await reader.NextResultAsync(Stop)).ShouldBeFalse();
        }

        (insert.RecordsAffected, update.RecordsAffected).ShouldBe((2, 2));
        await using var read = shared.Source.CreateReadCommand("SELECT count(*) FROM items WHERE name = 'batched'");
        (await read.ExecuteScalarAsync(Stop)).ShouldBe(2L, "the batch is a write of the session");
        (await batch.ExecuteNonQueryAsync(Stop)).ShouldBe(4, "a batch can run again");
        Should.Throw<NotSupportedException>(() => batch.Prepare());

        static DbBatchCommand Add(DbBatch batch, string text)
        {
            var command = batch.CreateBatchCommand();
            command.CommandText = text;
            batch.BatchCommands.Add(command);
            return command;
        }
    }

    private static async Task ShouldBeCancelledAsync(Action cancel, Func<int> run, Func<Task<int>> runAsync, bool isBlocking)
    {
        var running = isBlocking ? Task.Run(run, Stop) : runAsync();

        // A cancellation may arrive before the statement begins, as with any command, so it is repeated.
        while (!running.IsCompleted)
        {
            await Task.WhenAny(running, Task.Delay(TimeSpan.FromMilliseconds(50), Stop));
            cancel();
        }

        var failure = await Record.ExceptionAsync(() => running);
        failure.ShouldBeOfType<OperationCanceledException>().InnerException.ShouldBeOfType<PostgresException>().SqlState
            .ShouldBe(PostgresErrorCodes.QueryCanceled);
    }
}
