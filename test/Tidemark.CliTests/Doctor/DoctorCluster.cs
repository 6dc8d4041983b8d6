using Npgsql;
using Tidemark.Cli.Doctor;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>Helpers for doctor tests on real servers. Disposing the result of <see cref="SetAsync"/> restores the setting.</summary>
internal static class DoctorCluster
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    public static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <summary><c>TIDEMARK_TEST_PG</c> selects a major version of PostgreSQL other than the installed one.</summary>
    public static LocalClusterOptions Options(int replicas = 2) => new()
    {
        Replicas = replicas,
        PostgresVersion = int.TryParse(Environment.GetEnvironmentVariable("TIDEMARK_TEST_PG"), out var version) ? version : null,
    };

    public static IReadOnlyList<DoctorNode> Targets(params IEnumerable<LocalNode> nodes) =>
        [.. nodes.Select(node => new DoctorNode(node.Name, new NpgsqlConnectionStringBuilder(node.ConnectionString)))];

    public static async Task<Diagnosis> ExamineAsync(IReadOnlyList<DoctorNode> nodes, DoctorBounds? bounds = null) =>
        Diagnosis.Of(await Examination.RunAsync(nodes, bounds ?? new DoctorBounds(), TimeProvider.System, Stop));

    public static Task<Diagnosis> ExamineAsync(LocalCluster cluster, DoctorBounds? bounds = null) =>
        ExamineAsync(Targets(cluster.Nodes), bounds);

    /// <summary>Examines the nodes repeatedly until the finding appears, since servers take time to change state.</summary>
    public static async Task<Finding> WaitForFindingAsync(this IReadOnlyList<DoctorNode> nodes, string id, Severity severity,
        DoctorBounds? bounds = null)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var diagnosis = await ExamineAsync(nodes, bounds);
            if (diagnosis.Findings.FirstOrDefault(finding => finding.Id == id && finding.Severity == severity) is { } found) return found;
            TimeProvider.System.GetElapsedTime(start)
                .ShouldBeLessThan(Limit,
                $"{severity} {id} was not found in "
                    + $"{string.Join(", ", diagnosis.Findings.Select(finding => $"{finding.Severity} {finding.Id}"))}");
        }
    }

    /// <summary>Examines the nodes repeatedly until nothing is worse than a notice, since a cluster takes time to settle.</summary>
    public static async Task WaitUntilHealthyAsync(this IReadOnlyList<DoctorNode> nodes)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var diagnosis = await ExamineAsync(nodes);
            if (diagnosis.Findings.All(finding => finding.Severity == Severity.Notice)) return;
            TimeProvider.System.GetElapsedTime(start).ShouldBeLessThan(Limit, string.Join(", ", diagnosis.Ids()));
        }
    }

    /// <summary>Returns the only finding with the given id.</summary>
    public static Finding Only(this Diagnosis diagnosis, string id) => diagnosis.Findings.Where(finding => finding.Id == id)
        .ShouldHaveSingleItem($"{id} does not occur exactly once in {string.Join(", ", diagnosis.Findings.Select(finding => finding.Id))}");

    public static IReadOnlyList<string> Ids(this Diagnosis diagnosis) => [.. diagnosis.Findings.Select(finding => finding.Id)];

    public static async Task<object?> RunAsync(this LocalNode node, string sql)
    {
        await using var connection =
            await node.OpenAsync(@"Options=-c default_transaction_read_only=off -c default_transaction_isolation=read\ committed");
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync(Stop);
    }

    public static async Task<NpgsqlConnection> OpenAsync(this LocalNode node, string more = "")
    {
        var connection = new NpgsqlConnection($"{node.ConnectionString};Pooling=false;{more}");
        await connection.OpenAsync(Stop);
        return connection;
    }

    /// <summary>Changes a setting that takes effect with a reload.</summary>
    public static async Task<IAsyncDisposable> SetAsync(this LocalNode node, string setting, string value)
    {
        var before = await node.ReadAsync(setting);
        await node.RunAsync($"ALTER SYSTEM SET {setting} = {value}");
        await node.ReloadAsync(async () => await node.ReadAsync(setting) != before);
        return new Undo(async () =>
        {
            await node.RunAsync($"ALTER SYSTEM RESET {setting}");
            await node.ReloadAsync(async () => await node.ReadAsync(setting) == before);
        });
    }

    public static async Task ReloadAsync(this LocalNode node, Func<Task<bool>> isDone)
    {
        await node.RunAsync("SELECT pg_reload_conf()");
        await UntilAsync(isDone);
    }

    public static async Task UntilAsync(Func<Task<bool>> isDone)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!await isDone()) TimeProvider.System.GetElapsedTime(start).ShouldBeLessThan(Limit);
    }

    // A standby with serializable as its default rejects every query without an explicit level, including the type query of Npgsql.
    private static async Task<string> ReadAsync(this LocalNode node, string setting)
    {
        await using var source = new NpgsqlDataSourceBuilder($"{node.ConnectionString};Pooling=false")
            .ConfigureTypeLoading(types => types.EnableTypeLoading(false)).Build();
        await using var command = source.CreateCommand($"SHOW {setting}");
        return (string)(await command.ExecuteScalarAsync(Stop))!;
    }

    internal sealed class Undo(Func<Task> undo) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync() => await undo();
    }
}
