using Npgsql;
using Tidemark.Cli;
using Tidemark.Testing;

namespace Tidemark;

public sealed class ExplainCommandTests(ClusterOfThree three) : IClassFixture<ClusterOfThree>
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_read_goes_to_a_replica_and_the_other_nodes_are_listed_with_reasons()
    {
        var ran = await ExplainAsync("--json");

        ran.Json.GetProperty("role").GetString().ShouldBe("Replica");
        ran.Json.GetProperty("rejected").EnumerateArray().Select(node => node.GetProperty("reason").GetString()).Order()
            .ShouldBe(["IsPrimary", "NotPicked"]);
        ran.ExitCode.ShouldBe(ExitCode.Success);
    }

    [Fact]
    public async Task The_level_decides()
    {
        var ran = await ExplainAsync("--consistency", "Strong");

        ran.Output.ShouldContain($"A read at Strong goes to\n  {three.NameOf("pg-1")} (primary): strong consistency was requested");
        ran.Lines.Count(line => line.EndsWith(": is a replica", StringComparison.Ordinal)).ShouldBe(2);
    }

    [Fact]
    public async Task A_read_after_a_token_uses_only_a_replica_that_has_its_position()
    {
        await three.Cluster["pg-2"].PauseReplayAsync(Cancelled);
        await three.Cluster["pg-3"].PauseReplayAsync(Cancelled);
        try
        {
            var token = await WriteAsync();
            var behind = await ExplainAsync("--after", token);
            behind.Output.ShouldContain($"{three.NameOf("pg-1")} (primary): no replica can serve this read");
            behind.Output.ShouldContain("bytes short");

            await three.Cluster["pg-3"].ResumeReplayAsync(Cancelled);
            await three.Cluster.WaitForReplayAsync(Cancelled);
            (await ExplainAsync("--after", token, "--json")).Json.GetProperty("node").GetString().ShouldBe(three.NameOf("pg-3"));
        }
        finally
        {
            await three.Cluster["pg-2"].ResumeReplayAsync(Cancelled);
            await three.Cluster["pg-3"].ResumeReplayAsync(Cancelled);
        }
    }

    [Fact]
    public async Task A_staleness_bound_is_evaluated_on_the_first_run()
    {
        var ran = await ExplainAsync("--consistency", "BoundedStaleness(00:00:05)", "--json");
        ran.Json.GetProperty("role").GetString().ShouldBe("Replica", ran.Output);

        var tooSmall = await ExplainAsync("--consistency", "BoundedStaleness(00:00:00.05)");
        tooSmall.ExitCode.ShouldBe(ExitCode.WrongUsage);
        tooSmall.Errors.ShouldNotContain("internal error");
    }

    [Fact]
    public async Task A_required_node_and_a_write_can_be_explained()
    {
        (await ExplainAsync("--node", three.NameOf("pg-2"))).Output.ShouldContain("it was requested by name");
        (await ExplainAsync("--write")).Output.ShouldContain($"A write goes to\n  {three.NameOf("pg-1")} (primary): writes go to the "
            + "primary");
    }

    [Fact]
    public async Task Without_a_primary_explaining_a_write_is_a_finding()
    {
        var ran = await RanCommand.RunAsync("explain", "--write", "--connection", three.Cluster["pg-2"].ConnectionString);
        ran.Output.ShouldContain("no node");
        ran.ExitCode.ShouldBe(ExitCode.Finding);
    }

    [Theory]
    [InlineData("--consistency", "Strongest", "--consistency does not accept \"Strongest\". Valid levels: Strong, Session")]
    [InlineData("--after", "rubbish", "--after requires a token as returned by CausalToken.ToString()")]
    [InlineData("--node", "pg-9", "the cluster from --connection has no node \"pg-9\". Its nodes are 127.0.0.1")]
    public async Task Invalid_options_are_rejected(string option, string value, string complaint)
    {
        var ran = await ExplainAsync(option, value);
        ran.Errors.ShouldContain(complaint);
        ran.ExitCode.ShouldBe(ExitCode.WrongUsage);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_lost_write_is_reported_regardless_of_ThrowOnLostWrite(bool throwsOnLostWrite)
    {
        var identity = await three.Cluster.Primary.QueryAsync<long>("SELECT system_identifier FROM pg_control_system()", Cancelled);
        var future = new WalPosition(1, new NpgsqlTypes.NpgsqlLogSequenceNumber(ulong.MaxValue / 2));
        var token =
            new CausalToken((ulong)identity, future, seen: null, unknown: null, DateTimeOffset.UtcNow.AddHours(1), TimelineChain.Empty,
            key: null);
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, $$"""
                { "Tidemark": { "ThrowOnLostWrite": "{{throwsOnLostWrite}}", "Nodes": {
                    "a": "{{three.Cluster.Primary.ConnectionString}}", "b": "{{three.Cluster["pg-2"].ConnectionString}}" } } }
                """, Cancelled);
            var ran = await RanCommand.RunAsync("explain", "--config", file, "--after", token.ToString());
            ran.Errors.ShouldBeEmpty();
            ran.ExitCode.ShouldBe(ExitCode.Success);
            ran.Output.ShouldContain("the position is forged or its write was lost in a crash");
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task An_expired_token_is_reported()
    {
        var identity = await three.Cluster.Primary.QueryAsync<long>("SELECT system_identifier FROM pg_control_system()", Cancelled);
        var token =
            new CausalToken((ulong)identity, new WalPosition(1, new NpgsqlTypes.NpgsqlLogSequenceNumber(100)), seen: null, unknown: null,
            DateTimeOffset.UtcNow.AddHours(-1), TimelineChain.Empty, key: null);
        (await ExplainAsync("--after", token.ToString())).Output.ShouldContain("The token expired at ");
    }

    [Fact]
    public async Task A_token_of_another_cluster_is_refused()
    {
        await using var other = await LocalCluster.StartAsync(replicas: 0, Cancelled);
        await using var source = TidemarkDataSource.Create(other.Primary.ConnectionString);
        using var session = source.BeginSession();
        await source.OpenWriteConnection().DisposeAsync();

        var ran = await ExplainAsync("--after", (await source.CaptureTokenAsync(Cancelled)).ToString());
        ran.Errors.ShouldContain("WAL positions of another cluster have no meaning here");
        ran.ExitCode.ShouldBe(ExitCode.WrongUsage);
    }

    private Task<RanCommand> ExplainAsync(params string[] arguments) => RanCommand.RunAsync(["explain", .. three.Options, .. arguments]);

    private async Task<string> WriteAsync()
    {
        await using var source = TidemarkDataSource.Create(three.Cluster.Primary.ConnectionString);
        using var session = source.BeginSession();
        await using (var connection = await source.OpenWriteConnectionAsync(Cancelled))
        {
            await using var command = new NpgsqlCommand("CREATE TABLE IF NOT EXISTS written (n int)", connection);
            await command.ExecuteNonQueryAsync(Cancelled);
        }

        return (await source.CaptureTokenAsync(Cancelled)).ToString();
    }
}
