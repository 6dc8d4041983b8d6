using Tidemark.Cli;

namespace Tidemark;

/// <summary>Tests of the commands on one shared local cluster. Each test leaves it healthy.</summary>
[Collection("local clusters")]     // these tests share an environment variable
public sealed class ClusterCommandTests(ClusterCommandTests.UpCluster up) : IClassFixture<ClusterCommandTests.UpCluster>
{
    private static readonly string[] Good = ["pg-1", "pg-2", "pg-3"];

    [Fact]
    public void Up_prints_the_servers_the_connection_string_and_next_steps()
    {
        var ran = up.Ran;
        ran.Output.ShouldContain("Started 3 servers in");
        ran.Output.ShouldContain("Host=127.0.0.1:");
        ran.Output.ShouldContain("psql -h 127.0.0.1 -p ");
        ran.Output.ShouldContain("tidemark cluster pause pg-2 --name mine");
        ran.Output.ShouldNotContain('\e');
        (ran.ExitCode, ran.Errors).ShouldBe((ExitCode.Success, ""));
    }

    [Fact]
    public async Task Status_shows_every_node_as_a_table_and_as_JSON()
    {
        var table = await RunAsync("status");
        table.Output.ShouldContain("mine: PostgreSQL 15, database shop");
        foreach (var node in Good) table.Output.ShouldContain(node);
        table.ExitCode.ShouldBe(ExitCode.Success);

        var json = (await RunAsync("status", "--json")).Json;
        json.GetProperty("connectionString").GetString()!.ShouldContain("Database=shop");
        var nodes = json.GetProperty("nodes").EnumerateArray().ToList();
        nodes.Select(node => node.GetProperty("name").GetString()).ShouldBe(Good);
        nodes.Count(node => node.GetProperty("role").GetString() == "Primary").ShouldBe(1);
        nodes.ShouldAllBe(node => node.GetProperty("running").GetBoolean() && node.GetProperty("port").GetInt32() > 0
            && node.GetProperty("processId").GetInt32() > 0);
        nodes.Count(node => node.GetProperty("streaming").GetBoolean()).ShouldBe(2);
    }

    [Fact]
    public async Task Forty_columns_are_enough()
    {
        foreach (var command in new[] { new[] { "status" }, ["list"], ["up"], ["--help"], ["up", "--help"] })
        {
            var ran = await RanCommand.RunAsync(40, CancellationToken.None,
                ["cluster", .. command, .. command is [.., "--help"] or ["list"] ? Array.Empty<string>() : ["--name", "mine"]]);
            ran.Lines.Where(line => !line.StartsWith("Host=", StringComparison.Ordinal)
                && !line.StartsWith("psql ", StringComparison.Ordinal) && !line.Contains(up.Folder.Path, StringComparison.Ordinal)
                && !line.StartsWith("  tidemark ", StringComparison.Ordinal)).ShouldAllBe(line => line.TrimEnd().Length <= 40);
        }
    }

    [Fact]
    public async Task A_second_up_shows_the_cluster_and_rejects_other_settings()
    {
        var again = await RunAsync("up", "--replicas", "2", "--database", "shop");
        again.Output.ShouldContain("Cluster mine is already running");
        again.Output.ShouldContain("Host=127.0.0.1:");
        again.ExitCode.ShouldBe(ExitCode.Success);

        var other = await RunAsync("up", "--replicas", "1", "--sync", "--postgres", "18", "--database", "store", "--delay", "100");
        foreach (var difference in new[] { "it has 2 replicas", "not synchronous", "it has PostgreSQL 15", "its database is shop",
            "its delays are 0,0 ms" }) other.Errors.ShouldContain(difference);
        (other.ExitCode, other.Output).ShouldBe((ExitCode.WrongUsage, ""));
    }

    [Fact]
    public async Task A_paused_replica_is_shown_as_paused_until_it_resumes()
    {
        var replica = await ReplicaAsync();
        (await RunAsync("pause", replica)).Output.ShouldContain($"{replica} is paused, at 0/");
        (await RunAsync("pause", replica)).Output.ShouldContain("was already paused");
        (await NodeAsync(replica)).GetProperty("paused").GetBoolean().ShouldBeTrue();
        (await RunAsync("status")).ExitCode.ShouldBe(ExitCode.Success);      // a requested pause is not a finding
        (await RunAsync("resume", replica)).Output.ShouldContain($"{replica} resumed replay");
        (await NodeAsync(replica)).GetProperty("paused").GetBoolean().ShouldBeFalse();

        var second = await RunAsync("resume", replica);
        second.Errors.ShouldContain($"{replica} is not paused");
        second.ExitCode.ShouldBe(ExitCode.WrongUsage);
    }

    [Fact]
    public async Task A_delay_is_shown_and_can_be_removed()
    {
        var replica = await ReplicaAsync();
        (await RunAsync("delay", replica, "1500")).Output.ShouldContain("a delay of 1,500 ms");
        (await NodeAsync(replica)).GetProperty("delayMs").GetInt32().ShouldBe(1500);
        (await RunAsync("delay", replica, "0")).ExitCode.ShouldBe(ExitCode.Success);
        (await NodeAsync(replica)).GetProperty("delayMs").GetInt32().ShouldBe(0);
        (await RunAsync("delay", replica, "-1")).ExitCode.ShouldBe(ExitCode.WrongUsage);
    }

    [Fact]
    public async Task Killing_stopping_and_starting_report_a_server_that_is_already_in_that_state()
    {
        var replica = await ReplicaAsync();
        (await RunAsync("kill", replica)).Output.ShouldContain($"Killed {replica}");
        var status = await RunAsync("status");
        status.Output.ShouldContain($"{replica} is down: tidemark cluster start {replica} --name mine");
        status.ExitCode.ShouldBe(ExitCode.Finding);
        var second = await RunAsync("kill", replica);
        second.Errors.ShouldContain("already down");
        second.ExitCode.ShouldBe(ExitCode.WrongUsage);
        (await RunAsync("pause", replica)).Errors.ShouldContain($"{replica} is down");

        (await RunAsync("start", replica)).Output.ShouldContain("and is streaming");
        (await RunAsync("start", replica)).Output.ShouldContain("is already running");
        (await RunAsync("stop", replica, "--immediate")).Output.ShouldContain($"Stopped {replica}");
        (await RunAsync("stop", replica)).Output.ShouldContain("already down");
        (await RunAsync("start")).Output.ShouldContain($"{replica} is a replica");
        (await RunAsync("start")).Output.ShouldContain("All servers are already running");
    }

    [Fact]
    public async Task Up_starts_a_cluster_whose_servers_are_all_down()
    {
        foreach (var node in Good) await RunAsync("kill", node);
        (await RunAsync("status", "--json")).Json.GetProperty("nodes").EnumerateArray()
            .ShouldAllBe(node => !node.GetProperty("running").GetBoolean());
        (await RunAsync("up")).Output.ShouldContain("were down and were started");
        (await RunAsync("status")).ExitCode.ShouldBe(ExitCode.Success);
    }

    [Fact]
    public async Task Up_and_start_without_a_node_do_not_start_an_old_primary_and_suggest_rejoin()
    {
        var (old, next) = (await PrimaryAsync(), await ReplicaAsync());
        await RunAsync("promote", next);
        foreach (var command in new[] { "up", "start" })
        {
            foreach (var node in Good) await RunAsync("kill", node);
            var started = await RunAsync(command);
            started.Output.ShouldContain($"{old} is down, and was the primary before {next}: tidemark cluster rejoin {old}");
            started.ExitCode.ShouldBe(ExitCode.Success);
            (await NodeAsync(old)).GetProperty("running").GetBoolean().ShouldBeFalse();
            (await NodeAsync(Good.Except([old, next]).Single())).GetProperty("streaming").GetBoolean().ShouldBeTrue();
        }

        (await RunAsync("start")).Output.ShouldContain("The primary and its replicas are already running");
        (await RunAsync("rejoin", old)).ExitCode.ShouldBe(ExitCode.Success);
        (await RunAsync("status")).ExitCode.ShouldBe(ExitCode.Success);
    }

    [Fact]
    public async Task A_promotion_reports_the_other_nodes_and_the_old_primary_can_rejoin()
    {
        var (old, next) = (await PrimaryAsync(), await ReplicaAsync());
        var other = Good.Except([old, next]).Single();
        var promoted = await RunAsync("promote", next);
        promoted.Output.ShouldContain($"{next} is the primary, on timeline");
        promoted.Output.ShouldContain($"{other} follows it");
        promoted.Output.ShouldContain($"{old} accepts writes that will be lost");
        (await RunAsync("promote", next)).Errors.ShouldContain($"{next} is already the primary");
        (await RunAsync("promote", old)).Errors.ShouldContain($"it was the primary before {next}");
        (await RunAsync("status")).ExitCode.ShouldBe(ExitCode.Finding);

        var rejoined = await RunAsync("rejoin", old);
        rejoined.Output.ShouldContain($"{old} was rewound (pg_rewind)");
        rejoined.Output.ShouldContain($"{old} is a replica of {next} and is streaming");
        (await RunAsync("status")).ExitCode.ShouldBe(ExitCode.Success);

        var good = await RunAsync("rejoin", old);
        good.Errors.ShouldContain($"{old} does not need to rejoin");
        good.ExitCode.ShouldBe(ExitCode.WrongUsage);
        (await RunAsync("rejoin", next)).Errors.ShouldContain($"{next} is the primary");
    }

    [Theory]
    [InlineData("pause")]
    [InlineData("promote")]
    [InlineData("kill")]
    public async Task A_missing_node_is_reported_with_the_existing_ones(string command)
    {
        var ran = await RunAsync(command, "pg-9");
        ran.Errors.ShouldContain("no node pg-9; it has pg-1, pg-2, pg-3");
        (ran.ExitCode, ran.Output).ShouldBe((ExitCode.WrongUsage, ""));
    }

    [Fact]
    public async Task A_primary_is_not_paused_resumed_or_delayed()
    {
        var primary = await PrimaryAsync();
        foreach (var arguments in new[] { new[] { "pause", primary }, ["resume", primary], ["delay", primary, "5"] })
        {
            var ran = await RunAsync(arguments);
            ran.Errors.ShouldContain("a primary does not replay WAL. Replicas:");
            ran.ExitCode.ShouldBe(ExitCode.WrongUsage);
        }
    }

    [Fact]
    public async Task A_missing_cluster_is_reported_with_the_existing_ones()
    {
        var ran = await RanCommand.RunAsync("cluster", "status", "--name", "yours");
        ran.Errors.ShouldContain("There is no cluster yours. Existing clusters");
        ran.Errors.ShouldContain("tidemark cluster up --name yours");
        ran.ExitCode.ShouldBe(ExitCode.WrongUsage);
    }

    [Theory]
    [InlineData("tidemark cluster promote ", "", "pg-1 pg-2 pg-3")]
    [InlineData("tidemark cluster status --name m", "", "mine")]
    [InlineData("tidemark cluster st", ":19", "start status stop list")]
    public async Task Names_are_completed(string line, string position, string expected)
    {
        line = line.Replace("promote ", "promote --name mine ", StringComparison.Ordinal);
        var ran = await RanCommand.RunAsync($"[suggest{position}]", line);
        var suggested = ran.Lines.Where(word => word.Length > 0 && !word.StartsWith('-')).ToList();
        suggested.ShouldBe(expected.Split(' '), ignoreOrder: true);
    }

    private static async Task<RanCommand> RunAsync(params string[] arguments)
    {
        var ran = await RanCommand.RunAsync(["cluster", .. arguments, "--name", "mine"]);
        TestContext.Current.TestOutputHelper?.WriteLine($"{string.Join(' ', arguments)}: {ran.ExitCode}\n{ran.Output}{ran.Errors}");
        return ran;
    }

    private static async Task<System.Text.Json.JsonElement> NodeAsync(string name) =>
        (await RunAsync("status", "--json")).Json.GetProperty("nodes").EnumerateArray()
            .Single(node => node.GetProperty("name").GetString() == name);

    private static Task<string> PrimaryAsync() => FirstAsync("Primary");

    private static Task<string> ReplicaAsync() => FirstAsync("Replica");

    private static async Task<string> FirstAsync(string role) =>
        (await RunAsync("status", "--json")).Json.GetProperty("nodes").EnumerateArray()
            .First(node => node.GetProperty("role").GetString() == role).GetProperty("name").GetString()!;

    public sealed class UpCluster : IAsyncLifetime
    {
        internal LocalClusterFolder Folder { get; } = new();

        internal RanCommand Ran { get; private set; } = null!;

        public async ValueTask InitializeAsync() =>
            Ran = await RanCommand.RunAsync("cluster", "up", "--name", "mine", "--database", "shop", "--postgres", "15");

        public ValueTask DisposeAsync() => Folder.DisposeAsync();
    }
}
