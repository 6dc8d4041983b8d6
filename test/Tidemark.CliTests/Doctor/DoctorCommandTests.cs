using System.Diagnostics;
using System.Text.Json;
using Tidemark.Cli;
using Tidemark.Cli.Doctor;
using Tidemark.Testing;

namespace Tidemark;

[Collection(nameof(RealServers))]
public sealed class DoctorCommandTests(DoctorOnServersTests.HealthyCluster healthy) : IClassFixture<DoctorOnServersTests.HealthyCluster>
{
    private const string ClosedPort = "Host=127.0.0.1:1;Username=store;Password=correct-horse;Database=store";

    private LocalCluster Cluster => healthy.Cluster;

    private string[] Connections => ["--connection", At([.. Cluster.Nodes.Select(node => node.Port)])];

    [Fact]
    public async Task A_healthy_cluster_is_a_success_with_the_number_of_checks()
    {
        await DoctorCluster.Targets(Cluster.Nodes).WaitUntilHealthyAsync();
        var ran = await RanCommand.RunAsync(["doctor", .. Connections]);
        ran.Lines[0].ShouldBe(
            $"3 nodes from --connection: 127.0.0.1:{Cluster["pg-1"].Port} (primary), 127.0.0.1:{Cluster["pg-2"].Port} (replica), "
            + $"127.0.0.1:{Cluster["pg-3"].Port} (replica). 1 notice.", ran.Output);
        ran.Lines[^2].ShouldBe($"1 notice in {Check.All.Length} checks. Each finding id is a section of docs/doctor.md.");
        (ran.ExitCode, ran.Errors).ShouldBe((ExitCode.Success, ""));

        await using var durable =
            await LocalCluster.StartAsync(new LocalClusterOptions { Replicas = 0, Settings = { ["fsync"] = "on" } }, DoctorCluster.Stop);
        var nothing = await RanCommand.RunAsync("doctor", "--connection", durable.Primary.ConnectionString);
        nothing.Lines[^2].ShouldBe($"No findings in {Check.All.Length} checks.");
        nothing.ExitCode.ShouldBe(ExitCode.Success);
    }

    [Fact]
    public async Task A_finding_is_complete_in_text_and_JSON_and_sets_exit_code_1()
    {
        await Cluster["pg-2"].PauseReplayAsync(DoctorCluster.Stop);
        var name = $"127.0.0.1:{Cluster["pg-2"].Port}";
        var text = await RanCommand.RunAsync(["doctor", .. Connections]);
        text.ExitCode.ShouldBe(ExitCode.Finding);
        text.Output.ShouldContain("1 warning, 1 notice.");
        text.Output.ShouldContain($"""

            Warnings

            replay-paused: {name}
              {name}: pg_get_wal_replay_pause_state() = 'paused'
              The replica replays nothing: its data becomes stale, WAL accumulates, and reads that need newer data go to other nodes.
              > SELECT pg_wal_replay_resume();

            Notices

            """);

        var json = (await RanCommand.RunAsync(["doctor", "--json", .. Connections])).Json;
        json.EnumerateObject().Select(property => property.Name)
            .ShouldBe(["source", "nodes", "findings", "notChecked", "checks", "systemIdentifier"]);
        json.GetProperty("checks").GetInt32().ShouldBe(Check.All.Length);
        json.GetProperty("nodes").EnumerateArray().Select(node => node.GetProperty("role").GetString())
            .ShouldBe(["primary", "replica", "replica"]);
        var finding = json.GetProperty("findings")[0];
        finding.EnumerateObject().Select(property => property.Name)
            .ShouldBe(["id", "severity", "nodes", "evidence", "consequence", "remedy"]);
        (finding.GetProperty("id").GetString(), finding.GetProperty("severity").GetString(), finding.GetProperty("nodes")[0].GetString())
            .ShouldBe(("replay-paused", "Warning", name));
        await Cluster["pg-2"].ResumeReplayAsync(DoctorCluster.Stop);
    }

    [Fact]
    public async Task Everything_fits_forty_columns()
    {
        var ran = await RanCommand.RunAsync(40, DoctorCluster.Stop,
            ["doctor", "--connection", At(Cluster.Primary.Port, Cluster["pg-2"].Port, 1)]);
        ran.ExitCode.ShouldBe(ExitCode.Finding);
        ran.Output.ShouldContain("node-unreachable");
        ran.Output.ShouldContain("Not checked");
        ran.Lines.ShouldAllBe(line => line.Length <= 40);
        (await RanCommand.RunAsync(40, DoctorCluster.Stop, "doctor", "--help")).Lines.ShouldAllBe(line => line.TrimEnd().Length <= 40);
    }

    [Fact]
    public async Task Without_a_reachable_node_each_node_gets_a_line_without_its_password()
    {
        await using var web = new OddListener("HTTP/1.1 400 Bad Request\r\n\r\n");
        var ran = await RanCommand.RunAsync("doctor", "--connection", $"{At(1, web.Port)};Password=correct-horse", "--json");
        ran.Errors.ShouldContain("tidemark: 127.0.0.1:1: connection refused: no server listens on 127.0.0.1:1. Start the server");
        ran.Errors.ShouldContain($"tidemark: 127.0.0.1:{web.Port}: 127.0.0.1:{web.Port} sent a response that is not PostgreSQL's");
        ran.Errors.ShouldNotContain("correct-horse");
        (ran.ExitCode, ran.Output).ShouldBe((ExitCode.WrongUsage, ""));
    }

    [Theory]
    [InlineData("no cluster is selected")]
    [InlineData("--max-staleness must be a duration", "--connection", ClosedPort, "--max-staleness", "soon")]
    [InlineData("--max-staleness must be a duration", "--connection", ClosedPort, "--max-staleness", "0s")]
    [InlineData("--connection is invalid", "--connection", "Host=pg-1;Password=correct-horse;Nonsense=1")]
    public async Task Invalid_arguments_are_rejected(string complaint, params string[] arguments)
    {
        var ran = await RanCommand.RunAsync(["doctor", .. arguments]);
        ran.Errors.ShouldContain(complaint);
        ran.Errors.ShouldNotContain("correct-horse");
        (ran.ExitCode, ran.Output).ShouldBe((ExitCode.WrongUsage, ""));
    }

    [Fact]
    public async Task The_application_settings_provide_names_pool_sizes_and_the_bound()
    {
        var folder = Directory.CreateTempSubdirectory();
        try
        {
            var nodes = Cluster.Nodes.ToDictionary(node => node.Name, node => new { node.ConnectionString, MaxPoolSize = 500 });
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "appsettings.json"),
                JsonSerializer.Serialize(new { Tidemark = new { Nodes = nodes, MaxStaleness = "00:00:00.100" } }), DoctorCluster.Stop);

            // The staleness of a replica is measured by its last replayed commit, and this one is older than the bound.
            await Cluster.Primary.RunAsync("SELECT pg_logical_emit_message(true, 'doctor', 'replayed')");
            await DoctorCluster.UntilAsync(async () =>
                await Cluster["pg-3"].RunAsync("SELECT clock_timestamp() - pg_last_xact_replay_timestamp() > interval '100 ms'") is true);
            await Cluster["pg-3"].PauseReplayAsync(DoctorCluster.Stop);
            await Cluster.Primary.RunAsync("SELECT pg_logical_emit_message(true, 'doctor', 'not replayed')");
            var ran = await RanCommand.RunAsync(RanCommand.Nowhere with { Directory = folder.FullName }, "doctor");
            ran.Lines[0].ShouldStartWith("3 nodes from appsettings.json: pg-1 (primary), pg-2 (replica), pg-3 (replica). 3 warnings");
            ran.Output.ShouldContain("pg-1: two pools (reads and writes) of up to 500 connections each; max_connections leaves 197 to "
                + "ordinary "
                + "roles");
            ran.Output.ShouldContain("older than the bound of 0.1 s");
            var patient =
                await RanCommand.RunAsync(RanCommand.Nowhere with { Directory = folder.FullName }, "doctor", "--max-staleness", "1h");
            patient.Output.ShouldNotContain("replica-stale", customMessage: patient.Output);
        }
        finally
        {
            await Cluster["pg-3"].ResumeReplayAsync(DoctorCluster.Stop);
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task A_terminal_gets_progress_and_colours_and_a_pipe_gets_plain_text()
    {
        await using var silent = new OddListener(answer: null);
        using var output = new StringWriter();
        using var errors = new StringWriter();
        var exitCode = await CommandLine.RunAsync(
            ["doctor", "--connection", At(Cluster.Primary.Port, silent.Port)],
                new Terminal(output, errors) { Width = 100, HasColour = true, ShowsProgress = true }, RanCommand.Nowhere,
                DoctorCluster.Stop);
        exitCode.ShouldBe(ExitCode.Finding);
        errors.ToString().ShouldStartWith($"Examining 127.0.0.1:{Cluster.Primary.Port}, 127.0.0.1:{silent.Port} …\r");
        output.ToString().ShouldContain("\e[31mnode-unreachable");
        (await RanCommand.RunAsync("doctor", "--connection", Cluster.Primary.ConnectionString)).Output.ShouldNotContain('\e');
    }

    [Fact]
    public async Task A_pipe_that_closes_is_not_an_error()
    {
        var tool = Path.Combine(AppContext.BaseDirectory, "Tidemark.Cli.dll");
        var script = "dotnet \"$1\" doctor --connection \"$2\" | head -n 1; echo \"${PIPESTATUS[0]}\"";
        using var process =
            Process.Start(
            new ProcessStartInfo("bash", ["-c", script, "bash", tool, Cluster.Primary.ConnectionString]) { RedirectStandardOutput = true,
            RedirectStandardError = true })!;
        var errors = process.StandardError.ReadToEndAsync(DoctorCluster.Stop);
        var output = (await process.StandardOutput.ReadToEndAsync(DoctorCluster.Stop)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        output[0].ShouldStartWith("1 node from --connection: ");
        (output[^1], await errors).ShouldBe(("0", ""));
    }

    [Fact]
    public async Task Ctrl_C_ends_the_command_immediately()
    {
        await using var silent = new OddListener(answer: null);
        using var stop = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));
        var start = TimeProvider.System.GetTimestamp();
        var ran = await RanCommand.RunAsync(int.MaxValue, stop.Token, "doctor", "--connection", silent.ConnectionString);
        TimeProvider.System.GetElapsedTime(start).ShouldBeLessThan(TimeSpan.FromSeconds(4));
        ran.Errors.ShouldContain("interrupted");
        ran.ExitCode.ShouldBe(ExitCode.WrongUsage);
    }

    private static string At(params int[] ports) =>
        $"Host={string.Join(',', ports.Select(port => $"127.0.0.1:{port}"))};Username=postgres;Database=store";
}
