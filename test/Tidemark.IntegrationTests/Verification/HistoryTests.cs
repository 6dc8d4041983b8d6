using System.Text.Json;
using Tidemark.Verification;

namespace Tidemark;

/// <summary>
/// What eight concurrent sessions read from replicas that are 5, 50 and 200 ms behind, evaluated by the checker.
/// <c>TIDEMARK_FULL_FIGURES=1</c> runs one minute.
/// </summary>
public sealed class HistoryTests(LaggingCluster shared) : IClassFixture<LaggingCluster>
{
    private static readonly bool IsFull = Environment.GetEnvironmentVariable("TIDEMARK_FULL_FIGURES") == "1";

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private static HistoryWorkloadOptions Options => new() { Duration = TimeSpan.FromSeconds(IsFull ? 60 : 5) };

    private IEnumerable<string> Replicas => shared.Cluster.Replicas.Select(replica => replica.ConnectionString);

    [Fact]
    public async Task Handed_over_sessions_observe_no_violation_and_many_with_a_random_router()
    {
        await using var source = await shared.ConnectAsync();
        var tidemark = await RunAsync(WorkloadRouter.Tidemark(source), Options);
        var random = await RunAsync(WorkloadRouter.RandomReplica(shared.Cluster.Primary.ConnectionString, Replicas), Options);

        tidemark.Violations.ShouldBeEmpty(string.Join('\n', tidemark.Examples));
        tidemark.FailedReads.ShouldBe(0, string.Join('\n', tidemark.Failures));
        tidemark.UnknownWrites.ShouldBe(0);
        tidemark.HandOvers.ShouldBeGreaterThan(10);
        shared.Cluster.Replicas.ShouldAllBe(replica => tidemark.ReadsByNode[replica.Name] > 0);

        random.FailedReads.ShouldBe(0, string.Join('\n', random.Failures));
        random.Verdict.ReadYourWrites.ShouldBeGreaterThan(random.Writes / 10);
        random.Verdict.MonotonicReads.ShouldBeGreaterThan(random.Writes / 10);
        random.Verdict.Prefix.ShouldBe(0, "a replica shows a prefix of the WAL, regardless of how reads are routed");
    }

    [Fact]
    public async Task Each_level_keeps_its_promise_while_other_levels_are_requested_too()
    {
        await using var source = await shared.ConnectAsync();
        var report = await RunAsync(WorkloadRouter.Tidemark(source), Options with
        {
            Levels =
            [
                Consistency.Session, Consistency.ReadYourWrites, Consistency.MonotonicReads, Consistency.Eventual, Consistency.Strong,
                Consistency.BoundedStaleness(TimeSpan.FromMilliseconds(150)), Consistency.Session.Within(TimeSpan.FromSeconds(1)),
            ],
        });

        report.Violations.ShouldBeEmpty(string.Join('\n', report.Examples));
        report.FailedReads.ShouldBe(0, string.Join('\n', report.Failures));
    }

    [Fact]
    public async Task On_the_primary_alone_nothing_is_violated_and_the_report_is_JSON()
    {
        var report =
            await RunAsync(WorkloadRouter.PrimaryOnly(shared.Cluster.Primary.ConnectionString),
            Options with { Duration = TimeSpan.FromSeconds(1) });

        report.IsClean.ShouldBeTrue(string.Join('\n', report.Examples));
        report.ReadsOnReplicas.ShouldBe(0);
        report.ReadLatency.P99Milliseconds.ShouldBeGreaterThan(report.ReadLatency.P50Milliseconds);
        var json = JsonSerializer.SerializeToElement(report);
        json.GetProperty("Reads").GetInt64().ShouldBe(report.ReadsByNode["pg-1"]);
        json.TryGetProperty("History", out _).ShouldBeFalse();
    }

    [Fact]
    public async Task A_recorder_leaves_nothing_behind()
    {
        const string left = "SELECT (SELECT count(*) FROM pg_class WHERE relname LIKE 'tidemark_reg%') + (SELECT count(*) FROM pg_proc "
            + "WHERE proname LIKE 'tidemark_reg%')"
            + " + (SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE 'tidemark_reg%')";
        await using (await HistoryRecorder.StartAsync(shared.Cluster, cancellationToken: Stop))
            (await shared.Cluster.Primary.QueryAsync<long>(left)).ShouldBeGreaterThan(2);
        (await shared.Cluster.Primary.QueryAsync<long>(left)).ShouldBe(0);
    }

    private async Task<HistoryReport> RunAsync(WorkloadRouter router, HistoryWorkloadOptions options)
    {
        await using var owned = router;
        await using var recorder = await HistoryRecorder.StartAsync(shared.Cluster, cancellationToken: Stop);
        var report = await HistoryWorkload.RunAsync(recorder, router, options, Stop);
        TestContext.Current.TestOutputHelper!.WriteLine(report.ToString());
        return report;
    }
}
