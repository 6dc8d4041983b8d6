using Npgsql;
using Tidemark.Cli;
using Tidemark.Testing;

namespace Tidemark;

public sealed class VerifyCommandTests(ClusterOfThree three) : IClassFixture<ClusterOfThree>
{
    private static readonly string[] Promised =
    [
        "seconds", "sessions", "reads", "writes", "offload", "servedBy", "violations", "failedReads", "failedWrites",
            "lostWritesUnreported", "doubleWrites", "p50Ms", "p99Ms",
    ];

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_lagging_local_cluster_has_no_violations_and_reads_mostly_from_replicas()
    {
        var ran = await RanCommand.RunAsync("verify", "--delay", "5,200", "--seconds", "2", "--sessions", "4", "--json");

        ran.ExitCode.ShouldBe(ExitCode.Success, ran.Output + ran.Errors);
        ran.Json.EnumerateObject().Select(property => property.Name).Intersect(Promised).ShouldBe(Promised, ignoreOrder: true);
        ran.Json.GetProperty("violations").EnumerateObject().ShouldAllBe(violation => violation.Value.GetInt64() == 0);
        ran.Json.GetProperty("servedBy").EnumerateObject().Select(node => node.Name).ShouldBe(["pg-1", "pg-2", "pg-3"]);
        ran.Json.GetProperty("reads").GetInt64().ShouldBeGreaterThan(100);
        ran.Json.GetProperty("offload").GetDouble().ShouldBeGreaterThan(0.5);
        ran.Json.GetProperty("lag").GetProperty("pg-3").GetProperty("maxMs").GetDouble().ShouldBeGreaterThan(100);
    }

    [Fact]
    public async Task A_random_router_violates_guarantees_and_the_verdict_lists_them()
    {
        var ran = await RanCommand.RunAsync("verify", "--delay", "5,200", "--seconds", "2", "--sessions", "4", "--policy", "random");

        ran.ExitCode.ShouldBe(ExitCode.Finding, ran.Output + ran.Errors);
        ran.Output.ShouldMatch("random replica violated guarantees: [0-9,]{2,} own writes missing from reads, [0-9,]+ reads older than an "
            + "earlier read");
    }

    [Fact]
    public async Task A_given_cluster_is_left_unchanged()
    {
        var before = await ObjectsAsync();
        var ran = await VerifyAsync("--seconds", "1");

        ran.ExitCode.ShouldBe(ExitCode.Success, ran.Output + ran.Errors);
        ran.Lines.ShouldContain("Clean: Tidemark violated no guarantee.");
        (await ObjectsAsync()).ShouldBe(before);
    }

    [Fact]
    public async Task Without_a_replica_the_output_states_what_was_not_verified()
    {
        var ran = await RanCommand.RunAsync("verify", "--connection", three.Cluster.Primary.ConnectionString, "--seconds", "1");
        ran.Lines.ShouldContain("No replica served a read, so nothing was verified about replicas.");
        (await VerifyAsync("--seconds", "1")).Output.ShouldNotContain("nothing was verified");
    }

    [Fact]
    public async Task An_interrupted_run_drops_its_schema()
    {
        var before = await ObjectsAsync();
        using var stop = new CancellationTokenSource();
        var running = RanCommand.RunAsync(RanCommand.Nowhere, int.MaxValue, stop.Token, ["verify", "--seconds", "60", .. three.Options]);
        while (await ObjectsAsync() == before) await Task.Delay(20, Cancelled);
        await stop.CancelAsync();

        (await running).Errors.ShouldBe("tidemark: interrupted.\n");
        (await ObjectsAsync()).ShouldBe(before);
    }

    [Fact]
    public async Task A_failover_during_the_run_ends_it_without_a_verdict()
    {
        await using var cluster = await LocalCluster.StartAsync(replicas: 1, Cancelled);
        var options = cluster.Nodes.SelectMany(node => (string[])["--connection", node.ConnectionString]);
        var running = RanCommand.RunAsync(["verify", "--seconds", "3", "--sessions", "2", .. options]);
        await using (var replica = NpgsqlDataSource.Create(cluster.Nodes[1].ConnectionString))
        {
            await using var schemas = replica.CreateCommand("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'tidemark_verify%'");
            while (!running.IsCompleted && (long)(await schemas.ExecuteScalarAsync(Cancelled))! == 0) await Task.Delay(20, Cancelled);
        }

        await cluster.Nodes[0].KillAsync(Cancelled);
        await cluster.Nodes[1].PromoteAsync(cancellationToken: Cancelled);

        var ran = await running;
        ran.ExitCode.ShouldBe(ExitCode.WrongUsage, ran.Output);
        ran.Errors.ShouldNotContain("internal error");
    }

    [Fact]
    public async Task A_node_that_does_not_serve_is_excluded_and_named()
    {
        var ran = await VerifyAsync("--seconds", "1", "--json", "--connection", "Host=127.0.0.1;Port=1;Database=store;Username=postgres");
        ran.Json.GetProperty("leftOut").EnumerateArray().Select(node => node.GetString()).ShouldBe(["127.0.0.1:1"]);
    }

    [Fact]
    public async Task A_role_that_cannot_create_a_schema_gets_the_missing_privilege()
    {
        await using var source = NpgsqlDataSource.Create(three.Cluster.Primary.ConnectionString);
        await using var command = source.CreateCommand("DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'reader') THEN "
            + "CREATE ROLE reader LOGIN; END IF; END $$");
        await command.ExecuteNonQueryAsync(Cancelled);
        await three.Cluster.WaitForReplayAsync(Cancelled);

        var ran = await RanCommand.RunAsync(
            ["verify",
            .. three.Options.Select(option => option.Replace("Username=postgres", "Username=reader", StringComparison.Ordinal))]);
        ran.Errors.ShouldContain("permission denied for database store. The workload creates a schema. Run GRANT CREATE ON DATABASE");
        ran.ExitCode.ShouldBe(ExitCode.WrongUsage);
    }

    [Theory]
    [InlineData("--delay must be a comma-separated list of integers from 0 to 60000", "--delay", "5,x")]
    [InlineData("--replicas is 2, but --delay has 3 values.", "--replicas", "2", "--delay", "1,2,3")]
    [InlineData("--delay and --connection cannot be combined", "--delay", "5", "--connection", "Host=a")]
    [InlineData("--policy does not accept \"luck\". Valid values: Tidemark, Random, RoundRobin, Primary", "--policy", "luck")]
    [InlineData("--html: the folder of the file does not exist.", "--html", "/nowhere/at/all.html")]
    [InlineData("--max-staleness must be a duration from 100 ms to 60 min, such as 500ms, 30s or 2min, not \"soon\"", "--max-staleness",
        "soon")]
    [InlineData("no primary found to verify (cluster from --connection):\n  127.0.0.1 (127.0.0.1:1): unreachable: Connection refused",
        "--connection", "Host=127.0.0.1;Port=1;Username=u;Password=s3cret")]
    public async Task Invalid_options_are_rejected(string complaint, params string[] arguments)
    {
        var ran = await RanCommand.RunAsync(["verify", .. arguments]);
        ran.Errors.ShouldContain(complaint);
        ran.Errors.ShouldNotContain("s3cret");
        ran.ExitCode.ShouldBe(ExitCode.WrongUsage);
    }

    [Fact]
    public async Task A_policy_that_needs_a_replica_is_refused_without_one()
    {
        var ran = await RanCommand.RunAsync("verify", "--policy", "RoundRobin", "--connection", three.Cluster["pg-1"].ConnectionString);
        ran.Errors.ShouldContain("--policy RoundRobin reads from replicas, and the cluster has no replica that serves.");
    }

    private Task<RanCommand> VerifyAsync(params string[] arguments) => RanCommand.RunAsync(["verify", .. three.Options, .. arguments]);

    private async Task<long> ObjectsAsync()
    {
        await using var source = NpgsqlDataSource.Create(three.Cluster.Primary.ConnectionString);
        await using var command = source.CreateCommand("SELECT (SELECT count(*) FROM pg_class) + (SELECT count(*) FROM pg_namespace) + "
            + "(SELECT count(*) FROM pg_replication_slots) + (SELECT count(*) FROM pg_proc)");
        return (long)(await command.ExecuteScalarAsync(Cancelled))!;
    }
}
