using Npgsql;
using Tidemark.Cli.Doctor;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>Real servers for check-ups, with what tests do to them. A changed setting goes back when it is disposed of.</summary>
internal static class DoctorCluster
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    public static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <summary>TIDEMARK_TEST_PG chooses another major version of PostgreSQL than the one that is found.</summary>
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

    /// <summary>Examines until something is found; what servers do takes its time.</summary>
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
                $"{severity} {id} is not among {string.Join(", ", diagnosis.Findings.Select(finding => $"{finding.Severity} {finding.Id}"))}");
        }
    }

    /// <summary>The one finding of an id.</summary>
    public static Finding Only(this Diagnosis diagnosis, string id) => diagnosis.Findings.Where(finding => finding.Id == id)
        .ShouldHaveSingleItem($"{id} is not once among {string.Join(", ", diagnosis.Findings.Select(finding => finding.Id))}");

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

    /// <summary>Sets a setting that a reload brings into force.</summary>
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

    // A standby whose default is serializable answers nothing that does not say another level, not even what Npgsql asks when it connects.
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
