using Npgsql;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>The order of commits, read from the WAL's files and from a logical slot.</summary>
public sealed class CommitOrderTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Files_and_slot_tell_the_same_order_of_what_was_committed_and_of_nothing_else()
    {
        await using var cluster = await StartAsync(version: null);
        var files = CommitOrder.FromFiles(cluster);
        await using var recorder = await HistoryRecorder.StartAsync(NodesOf(cluster), files, keys: 4, cancellationToken: Stop);
        await using var slot = CommitOrder.FromSlot(cluster.Primary.ConnectionString);
        await slot.BeginAsync(recorder.Table, Stop);
        await using var source = NpgsqlDataSource.Create(cluster.Primary.ConnectionString);

        await Parallel.ForAsync(0, 8, Stop, async (lane, stop) =>
        {
            var client = recorder.AddClient();
            for (var i = 0; i < 25; i++)
            {
                await client.WriteAsync((lane + i) % 4, (value, _) => InSavepointAsync(source, recorder.TableName, (lane + i) % 4, value), stop);
                await using var command = source.CreateCommand();
                await client.WriteAsync(lane % 4, command, stop);
            }
        });

        var (ofFiles, ofSlot) = (await files.ReadAsync(Stop), await slot.ReadAsync(Stop));
        ofFiles.Commits.Count.ShouldBe(400);
        ofFiles.Commits.OrderBy(c => c.Position).ShouldBe(ofSlot.Commits);
        HistoryChecker.Check(await recorder.CompleteAsync(Stop)).IsClean.ShouldBeTrue();
    }

    [Fact]
    public async Task Where_pg_waldump_is_missing_a_slot_tells_the_order()
    {
        // npm's package has no pg_waldump.
        await using var cluster = await StartAsync(version: 18);
        await using var router = WorkloadRouter.PrimaryOnly(cluster.Primary.ConnectionString);
        await using var recorder = await HistoryRecorder.StartAsync(cluster, cancellationToken: Stop);
        var report = await HistoryWorkload.RunAsync(recorder, router, new HistoryWorkloadOptions { Duration = TimeSpan.FromSeconds(1) }, Stop);

        report.IsClean.ShouldBeTrue(string.Join('\n', report.Examples));
        report.Writes.ShouldBeGreaterThan(0);
    }

    [Fact]
    public async Task A_slot_without_wal_level_logical_is_refused_and_says_what_to_set()
    {
        await using var cluster = await LocalCluster.StartAsync(replicas: 0, Stop);

        var error = await Should.ThrowAsync<InvalidOperationException>(() => HistoryRecorder.StartAsync(NodesOf(cluster), CommitOrder.FromSlot(cluster.Primary.ConnectionString), cancellationToken: Stop));
        error.Message.ShouldContain("wal_level = logical");
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
            await using var command = new NpgsqlCommand($"UPDATE {table} SET ver = ver + 1, val = {written} WHERE k = {key} RETURNING ver", connection, transaction);
            return (long)(await command.ExecuteScalarAsync(Stop))!;
        }
    }

    private static Dictionary<string, string> NodesOf(LocalCluster cluster) => cluster.Nodes.ToDictionary(node => node.Name, node => node.ConnectionString);

    private static Task<LocalCluster> StartAsync(int? version)
    {
        var options = new LocalClusterOptions { Replicas = 1, PostgresVersion = version };
        options.Settings["wal_level"] = "logical";
        return LocalCluster.StartAsync(options, Stop);
    }
}
