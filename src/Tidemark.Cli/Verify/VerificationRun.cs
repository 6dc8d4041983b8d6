using System.Diagnostics.CodeAnalysis;
using Npgsql;
using Tidemark.Cli.Targets;
using Tidemark.Verification;

namespace Tidemark.Cli.Verify;

/// <summary>Runs the checker's workload on a cluster, in a temporary schema.</summary>
internal static class VerificationRun
{
    private const int Keys = 16;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    /// <summary>Runs the workload.</summary>
    /// <param name="target">The cluster.</param>
    /// <param name="options">The parameters.</param>
    /// <param name="progress">Receives the progress.</param>
    /// <param name="cancellationToken">Stops the workload. The schema is dropped in any case.</param>
    /// <exception cref="CommandException">
    /// The cluster has no primary, has no replica for the policy, or refuses the schema; or the history cannot be evaluated.
    /// </exception>
    public static async Task<(VerifyRecord Record, HistoryReport Report)> RunAsync(
        ClusterTarget target, VerificationOptions options, Action<HistoryWorkloadProgress> progress, CancellationToken cancellationToken)
    {
        await using var source = await target.OpenAsync(cancellationToken);
        var snapshot = source.Cluster.Monitor.Snapshot;
        if (snapshot.Primary is not { } first) throw target.HasNoPrimary(source, "to verify");
        var primary = target[first.Name];
        var serving = target.Nodes.Where((_, i) => snapshot.Nodes[i].Status is ConcludedStatus.Primary or ConcludedStatus.Replica).ToList();
        await using var router = RouterOf(options.Policy, source, primary, [.. serving.Where(node => node != primary)]);
        var schema = await PrepareAsync(primary, cancellationToken);
        try
        {
            var (record, report) = await RunAsync(source, router, serving, primary, schema, options, progress, cancellationToken);
            return (record with { LeftOut = [.. target.Nodes.Except(serving).Select(node => node.Name)] }, report);
        }
        finally
        {
            await DropAsync(primary, schema);
        }
    }

    private static async Task<(VerifyRecord Record, HistoryReport Report)> RunAsync(
        TidemarkDataSource source, WorkloadRouter router, IReadOnlyList<TargetNode> nodes, TargetNode primary, string schema,
            VerificationOptions options, Action<HistoryWorkloadProgress> progress,
        CancellationToken cancellationToken)
    {
        await using var recorder = await StartAsync(nodes, primary, schema, cancellationToken);
        var gauge = new LagGauge(source);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var looking = gauge.RunAsync(over.Token);
        var workload = new HistoryWorkloadOptions
        {
            Duration = options.Duration,
            Sessions = options.Sessions,
            Levels = [Consistency.Session, Consistency.Session.Within(options.MaxStaleness)],
            Progress = new Reported(progress),
        };
        HistoryReport report;
        try
        {
            report = await HistoryWorkload.RunAsync(recorder, router, workload, cancellationToken);
        }
        catch (HistoryException e)
        {
            throw new CommandException(recorder.DoubleWrites > 0
                ? $"{recorder.DoubleWrites} writes were committed more than once, so the rest of the history cannot be evaluated. "
                    + $"{e.Message}"
                : $"the history cannot be evaluated. {e.Message}", e);
        }
        finally
        {
            await over.CancelAsync();
            await looking;
        }

        // Reads of rows that never change prove nothing.
        var acknowledged = report.Writes - report.FailedWrites - report.UnknownWrites;
        if (acknowledged == 0 || report.Reads == 0)
            throw new CommandException(
                $"nothing could be verified: {Words.Count(acknowledged)} writes were acknowledged and {Words.Count(report.Reads)} reads "
                + $"succeeded.{string.Concat(report.Failures.Take(1).Select(failure => $" {failure}"))}");
        return (VerifyRecord.Of(report, gauge.Figures(), recorder.DoubleWrites), report);
    }

    private static async Task<string> PrepareAsync(TargetNode primary, CancellationToken cancellationToken)
    {
        await using var connection = new NpgsqlConnection(primary.Within(Patience));
        await connection.OpenAsync(cancellationToken);
        await Publications.RefuseAllTablesAsync(connection, cancellationToken);
        return $"tidemark_verify_{Guid.NewGuid().ToString("N")[..8]}";
    }

    private static async Task<HistoryRecorder> StartAsync(IReadOnlyList<TargetNode> nodes, TargetNode primary, string schema,
        CancellationToken cancellationToken)
    {
        try
        {
            return await HistoryRecorder.StartAsync(
                nodes.ToDictionary(node => node.Name, node => node.Settings.ConnectionString),
                    CommitOrder.FromTable(primary.Settings.ConnectionString), Keys, schema: schema,
                cancellationToken: cancellationToken);
        }
        catch (PostgresException e)
        {
            var remedy = e.SqlState == PostgresErrorCodes.InsufficientPrivilege
                ? " The workload creates a schema. Run GRANT CREATE ON DATABASE for the role." : "";
            throw new CommandException($"the primary refused the workload's tables: {e.MessageText}.{remedy}", e);
        }
        catch (InvalidOperationException e)
        {
            throw new CommandException(e.Message, e);
        }
    }

    // The recorder also drops the schema, but does not report a failure.
    [SuppressMessage("Security", "CA2100", Justification = "The name is generated here.")]
    private static async Task DropAsync(TargetNode primary, string schema)
    {
        try
        {
            await using var connection = new NpgsqlConnection(primary.Within(Patience));
            await connection.OpenAsync(CancellationToken.None);
            await using var command = new NpgsqlCommand($"DROP SCHEMA IF EXISTS {schema} CASCADE", connection);
            await command.ExecuteNonQueryAsync(CancellationToken.None);
        }
        catch (Exception e) when (e is NpgsqlException or TimeoutException)
        {
            throw new CommandException($"{primary.Name}: the schema of this run could not be dropped: {NodeProbe.Describe(e)}. If it "
                + $"still exists, run: DROP SCHEMA {schema} CASCADE;", e);
        }
    }

    private static WorkloadRouter RouterOf(VerifyPolicy policy, TidemarkDataSource source, TargetNode primary, TargetNode[] replicas) =>
        policy switch
    {
        VerifyPolicy.Tidemark => WorkloadRouter.Tidemark(source),
        VerifyPolicy.Primary => WorkloadRouter.PrimaryOnly(primary.Settings.ConnectionString),
        _ when replicas.Length == 0 => throw new CommandException($"--policy {policy} reads from replicas, and the cluster has no "
            + "replica that serves."),
        VerifyPolicy.Random =>
            WorkloadRouter.RandomReplica(primary.Settings.ConnectionString, replicas.Select(node => node.Settings.ConnectionString)),
        _ => WorkloadRouter.RoundRobin(primary.Settings.ConnectionString, replicas.Select(node => node.Settings.ConnectionString)),
    };

    // Progress<T> would report on the thread pool, perhaps after the end.
    private sealed class Reported(Action<HistoryWorkloadProgress> report) : IProgress<HistoryWorkloadProgress>
    {
        public void Report(HistoryWorkloadProgress value) => report(value);
    }
}
