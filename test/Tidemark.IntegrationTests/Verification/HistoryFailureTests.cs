using Tidemark.Testing;
using Tidemark.Verification;

namespace Tidemark;

/// <summary>
/// Sessions continue while servers are stopped, killed and promoted, and the checker evaluates what they read. Each test breaks a cluster
/// of its own.
/// </summary>
public sealed class HistoryFailureTests : IAsyncLifetime
{
    private readonly LaggingCluster _store = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private LocalCluster Cluster => _store.Cluster;

    public ValueTask InitializeAsync() => _store.InitializeAsync();

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Fact]
    public async Task Stopped_killed_and_restarted_replicas_cost_no_read_and_no_promise()
    {
        var report = await RunAsync(TimeSpan.FromSeconds(8), async (clock, _) =>
        {
            await clock.AtAsync(TimeSpan.FromSeconds(1));
            await Cluster["pg-2"].StopAsync(cancellationToken: Stop);
            await Cluster["pg-3"].KillAsync(Stop);
            await Cluster["pg-2"].StartAsync(Stop);
            await clock.AtAsync(TimeSpan.FromSeconds(3));
            await Cluster["pg-4"].StopAsync(StopMode.Immediate, Stop);
            await Cluster["pg-3"].StartAsync(Stop);
            await clock.AtAsync(TimeSpan.FromSeconds(5));
            await Cluster["pg-2"].KillAsync(Stop);
            await Cluster["pg-4"].StartAsync(Stop);
            await Cluster["pg-2"].StartAsync(Stop);
        });

        report.Violations.ShouldBeEmpty(string.Join('\n', report.Examples));
        MidAnswer.ShouldBeAll(report.Failures);
        report.FailedReads.ShouldBeLessThanOrEqualTo(MidAnswer.Most);
        report.ReadsOnReplicas.ShouldBeGreaterThan(0);
    }

    [Fact]
    public async Task A_promotion_that_loses_writes_is_reported_to_every_session_that_had_them()
    {
        var report = await RunAsync(TimeSpan.FromSeconds(8), async (clock, recorder) =>
        {
            await clock.AtAsync(TimeSpan.FromSeconds(2));
            foreach (var replica in Cluster.Replicas) await replica.StopReceivingAsync();
            await clock.AtAsync(clock.Elapsed + TimeSpan.FromSeconds(1));
            var remaining = Cluster.Replicas;
            recorder.BeforePromotion();
            await Cluster.Primary.KillAsync(Stop);
            foreach (var replica in remaining) await replica.ReceiveAgainAsync();
            await Cluster["pg-2"].PromoteAsync(follow: false, Stop);
            foreach (var replica in remaining.Where(replica => replica != Cluster.Primary))
                await replica.FollowAsync(Cluster.Primary, Stop);
        });

        // One of the replicas may have received, and shown, what the promoted node does not have. This test does not rewind it. It must not
        // serve any more.
        report.Violations.ShouldBeEmpty(string.Join('\n', report.Examples));
        report.LostWrites.ShouldBeGreaterThan(0);
        report.LossesReported.ShouldBeGreaterThan(0);
        report.ReadsByNode["pg-2"].ShouldBeGreaterThan(0);
    }

    private async Task<HistoryReport> RunAsync(TimeSpan duration, Func<Clock, HistoryRecorder, Task> disturb)
    {
        await using var router = WorkloadRouter.Tidemark(_store.Source);
        await using var recorder = await HistoryRecorder.StartAsync(Cluster, cancellationToken: Stop);
        var clock = new Clock();
        var running =
            HistoryWorkload.RunAsync(recorder, router, new HistoryWorkloadOptions { Duration = duration, Progress = clock }, Stop);
        await disturb(clock, recorder);
        var report = await running;
        TestContext.Current.TestOutputHelper!.WriteLine(report.ToString());
        if (!report.IsClean)
            HistoryFile.Write(report.History,
            Path.Combine(Path.GetTempPath(), $"{TestContext.Current.TestMethod!.MethodName}.history.txt"));
        return report;
    }

    /// <summary>A clock that advances with the progress of a workload.</summary>
    private sealed class Clock : IProgress<HistoryWorkloadProgress>
    {
        private volatile TaskCompletionSource<TimeSpan> _next = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TimeSpan Elapsed { get; private set; }

        public void Report(HistoryWorkloadProgress value)
        {
            Elapsed = value.Elapsed;
            Interlocked.Exchange(ref _next, new(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult(value.Elapsed);
        }

        public async Task AtAsync(TimeSpan elapsed)
        {
            while (Elapsed < elapsed) await _next.Task.WaitAsync(Stop);
        }
    }
}
