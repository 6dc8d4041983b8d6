using Npgsql;
using Tidemark.Testing;
using Tidemark.Verification;

namespace Tidemark;

/// <summary>The order of commits, read from WAL files, from a logical slot, and from a table.</summary>
public sealed class CommitOrderTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task WAL_files_and_slot_give_the_same_order_of_commits_and_nothing_else()
    {
        await using var cluster = await StartAsync(version: null);
        var files = CommitOrder.FromFiles(cluster);
        await using var recorder = await HistoryRecorder.StartAsync(NodesOf(cluster), files, keys: 4, cancellationToken: Stop);
        await using var slot = CommitOrder.FromSlot(cluster.Primary.ConnectionString);
        await slot.BeginAsync(recorder.Table, Stop);
        await WriteAsync(recorder, cluster);

        var (ofFiles, ofSlot) = (await files.ReadAsync(Stop), await slot.ReadAsync(Stop));
        ofFiles.Commits.Count.ShouldBe(400);
        ofFiles.Commits.OrderBy(c => c.Position).ShouldBe(ofSlot.Commits);
        HistoryChecker.Check(await recorder.CompleteAsync(Stop)).IsClean.ShouldBeTrue();
    }

    [Fact]
    public async Task The_order_table_gives_the_same_order_as_the_WAL_files()
    {
        await using var cluster = await LocalCluster.StartAsync(replicas: 1, Stop);
        var table = CommitOrder.FromTable(cluster.Primary.ConnectionString);
        await using (var recorder =
            await HistoryRecorder.StartAsync(NodesOf(cluster), table, keys: 4, schema: "of_its_own", cancellationToken: Stop))
        {
            await using var files = CommitOrder.FromFiles(cluster);
            await files.BeginAsync(recorder.Table, Stop);
            await WriteAsync(recorder, cluster);

            var (ofTable, ofFiles) = (await table.ReadAsync(Stop), await files.ReadAsync(Stop));
            ofTable.Commits.Select(commit => commit.Write)
                .ShouldBe(ofFiles.Commits.OrderBy(c => c.Position).Select(commit => commit.Write));
            ofTable.Commits.Count.ShouldBe(400);
            HistoryChecker.Check(await recorder.CompleteAsync(Stop)).IsClean.ShouldBeTrue();
        }

        (await SchemasAsync(cluster, "of_its_own")).ShouldBe(0);
    }

    [Fact]
    public async Task A_write_that_is_committed_twice_is_counted_and_yields_no_history()
    {
        await using var cluster = await LocalCluster.StartAsync(replicas: 0, Stop);
        await using var recorder =
            await HistoryRecorder.StartAsync(NodesOf(cluster), CommitOrder.FromTable(cluster.Primary.ConnectionString),
            cancellationToken: Stop);
        await using var source = NpgsqlDataSource.Create(cluster.Primary.ConnectionString);
        await recorder.AddClient().WriteAsync(0, async (value, _) =>
        {
            await InSavepointAsync(source, recorder.TableName, 0, value);
            return await InSavepointAsync(source, recorder.TableName, 0, value);
        }, Stop);

        await Should.ThrowAsync<HistoryException>(() => recorder.CompleteAsync(Stop));
        recorder.DoubleWrites.ShouldBe(1);
    }

    [Theory]
    [InlineData("Upper")]
    [InlineData("a;drop")]
    [InlineData("")]
    [InlineData("1st")]
    public async Task A_schema_has_a_plain_name(string schema)
    {
        await using var order = CommitOrder.FromTable("Host=none.invalid");
        await Should.ThrowAsync<ArgumentException>(() =>
            HistoryRecorder.StartAsync(new Dictionary<string, string>(), order, schema: schema, cancellationToken: Stop));
    }

    [Fact]
    public async Task Without_pg_waldump_a_slot_gives_the_order()
    {
        // The npm package has no pg_waldump.
        await using var cluster = await StartAsync(version: 18);
        await using var router = WorkloadRouter.PrimaryOnly(cluster.Primary.ConnectionString);
        await using var recorder = await HistoryRecorder.StartAsync(cluster, cancellationToken: Stop);
        var report =
            await HistoryWorkload.RunAsync(recorder, router, new HistoryWorkloadOptions { Duration = TimeSpan.FromSeconds(1) }, Stop);

        report.IsClean.ShouldBeTrue(string.Join('\n', report.Examples));
        report.Writes.ShouldBeGreaterThan(0);
    }

    [Fact]
    public async Task A_slot_without_wal_level_logical_is_refused_with_the_setting_to_change()
    {
        await using var cluster = await LocalCluster.StartAsync(replicas: 0, Stop);

        var error =
            await Should.ThrowAsync<InvalidOperationException>(() =>
            HistoryRecorder.StartAsync(NodesOf(cluster), CommitOrder.FromSlot(cluster.Primary.ConnectionString), cancellationToken: Stop));
        error.Message.ShouldContain("wal_level = logical");
    }

    private static async Task WriteAsync(HistoryRecorder recorder, LocalCluster cluster)
    {
        await using var source = NpgsqlDataSource.Create(cluster.Primary.ConnectionString);
        await Parallel.ForAsync(0, 8, Stop, async (lane, stop) =>
        {
            var client = recorder.AddClient();
            for (var i = 0; i < 25; i++)
            {
                await client.WriteAsync((lane + i) % 4, (value, _) => InSavepointAsync(source, recorder.TableName, (lane + i) % 4, value),
                    stop);
                await using var command = source.CreateCommand();
                await client.WriteAsync(lane % 4, command, stop);
            }
        });
    }

    private static async Task<long> SchemasAsync(LocalCluster cluster, string schema)
    {
        await using var source = NpgsqlDataSource.Create(cluster.Primary.ConnectionString);
        await using var command = source.CreateCommand($"SELECT count(*) FROM pg_namespace WHERE nspname = '{schema}'");
        return (long)(await command.ExecuteScalarAsync(Stop))!;
    }

    private static async Task<long> InSavepointAsync(NpgsqlDataSource source, string table, int key, long value)
    {
        await using var connection = await source.OpenConnectionAsync(Stop);
        await using var transaction = await connection.BeginTransactionAsync(Stop);
        await transaction.SaveAsync("undone", Stop);
        await UpdateAsync(-value);
        await transaction.RollbackAsync("undone", Stop);
        await transaction.SaveAsync("kept", Stop);
        var version = await UpdateAsync(value);
        await transaction.ReleaseAsync("kept", Stop);
        await transaction.CommitAsync(Stop);
        return version;

        async Task<long> UpdateAsync(long written)
        {
            await using var command = new NpgsqlCommand($"UPDATE {table} SET ver = ver + 1, val = {written} WHERE k = {key} RETURNING "
                + "ver", connection, transaction);
            return (long)(await command.ExecuteScalarAsync(Stop))!;
        }
    }

    private static Dictionary<string, string> NodesOf(LocalCluster cluster) =>
        cluster.Nodes.ToDictionary(node => node.Name, node => node.ConnectionString);

    private static Task<LocalCluster> StartAsync(int? version)
    {
        var options = new LocalClusterOptions { Replicas = 1, PostgresVersion = version };
        options.Settings["wal_level"] = "logical";
        return LocalCluster.StartAsync(options, Stop);
    }
}
