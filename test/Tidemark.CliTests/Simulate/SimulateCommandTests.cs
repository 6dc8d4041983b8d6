using System.Text.Json;
using Tidemark.Cli;
using Tidemark.Verification;

namespace Tidemark;

public sealed class SimulateCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("tidemark-simulate-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task JSON_has_the_numbers_of_the_campaign()
    {
        var ran = await RanCommand.RunAsync("simulate", "--seeds", "3", "--json");
        var json = ran.Json;

        json.GetProperty("seeds").GetInt32().ShouldBe(3);
        json.GetProperty("operations").GetInt64().ShouldBeGreaterThanOrEqualTo(json.GetProperty("reads").GetInt64());
        json.GetProperty("reads").GetInt64().ShouldBeGreaterThan(0);
        json.GetProperty("violations").ValueKind.ShouldBe(JsonValueKind.Number);
        json.GetProperty("lostWritesUnreported").ValueKind.ShouldBe(JsonValueKind.Number);
        json.GetProperty("offloadEfficiency").GetProperty("Mixed").GetDouble().ShouldBeInRange(0.01, 1);
        json.GetProperty("determinismChecked").GetInt32().ShouldBe(1);
        json.GetProperty("seconds").GetDouble().ShouldBeGreaterThan(0);
        ran.ExitCode.ShouldBe(json.GetProperty("failingSeedCount").GetInt32() == 0 ? ExitCode.Success : ExitCode.Finding);
        ran.Errors.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_detected_fault_is_a_success_and_an_undetected_one_a_finding()
    {
        var caught = await RanCommand.RunAsync("simulate", "--seeds", "30", "--fault", "GateAsObservedWatermark", "--json");
        caught.Json.GetProperty("violations").GetInt64().ShouldBeGreaterThan(0);
        caught.ExitCode.ShouldBe(ExitCode.Success);

        var missed = await RanCommand.RunAsync("simulate", "--seeds", "1", "--fault", "YoungConnectionProven");
        missed.Output.ShouldContain("YoungConnectionProven was not detected.");
        missed.ExitCode.ShouldBe(ExitCode.Finding);
    }

    [Fact]
    public async Task Violations_of_other_policies_are_counted_but_are_not_findings()
    {
        var ran = await RanCommand.RunAsync("simulate", "--seeds", "3", "--policy", "randomreplica", "--json");
        ran.Json.GetProperty("violations").GetInt64().ShouldBeGreaterThan(0);
        ran.ExitCode.ShouldBe(ExitCode.Success);
    }

    [Fact]
    public async Task Every_fault_has_a_row_in_the_fault_table()
    {
        var ran = await RanCommand.RunAsync("simulate", "--faults", "--seeds", "1", "--json");
        var faults = ran.Json.GetProperty("faults").EnumerateArray().ToList();

        faults.Select(fault => fault.GetProperty("name").GetString()).ShouldBe(Enum.GetNames<PlantedFault>().Where(name => name != "None"));
        faults.ShouldAllBe(fault => fault.GetProperty("seeds").GetInt32() == 1);
        ran.ExitCode.ShouldBe(faults.All(fault => fault.GetProperty("caught").GetBoolean()) ? ExitCode.Success : ExitCode.Finding);
    }

    [Fact]
    public async Task A_table_of_policies_prints_the_same_records_in_every_form()
    {
        string[] table = ["simulate", "--seeds", "1", "--policy", "all"];
        var cells = (await RanCommand.RunAsync([.. table, "--json"])).Json.GetProperty("cells").EnumerateArray().ToList();
        var (markdown, text) = (await RanCommand.RunAsync([.. table, "--markdown"]), await RanCommand.RunAsync(table));

        cells.Count.ShouldBe(Enum.GetValues<RoutingArm>().Length);
        foreach (var cell in cells)
        {
            var policy = cell.GetProperty("policy").GetString();
            var efficiency = Words.Percent(cell.GetProperty("offloadEfficiency").GetDouble());
            markdown.Lines.ShouldContain(line => line.StartsWith($"| {policy} | {efficiency} ·", StringComparison.Ordinal));
            text.Lines.ShouldContain(line => line.StartsWith($"{policy} ", StringComparison.Ordinal)
                && line.Contains(efficiency, StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task All_lines_fit_forty_columns()
    {
        var ran = await RanCommand.RunAsync(40, CancellationToken.None, "simulate", "--seeds", "1", "--policy", "all");
        ran.Lines.ShouldAllBe(line => line.Length <= 40);
        ran.Output.ShouldContain("Timer30");
    }

    [Fact]
    public async Task A_replayed_seed_prints_its_trace_and_the_same_output_each_time()
    {
        string[] replay = ["simulate", "--seed", "17"];
        var ran = await RanCommand.RunAsync(replay);

        ran.Lines[0].ShouldContain("seed 17:");
        ran.Output.ShouldContain("everything is healed");
        ran.Output.ShouldContain("Fingerprint");
        (await RanCommand.RunAsync(replay)).ShouldBe(ran);
    }

    [Fact]
    public async Task An_exported_history_gets_the_verdict_of_its_seed()
    {
        var file = Path.Combine(_folder, "history.txt");
        var careless = new SimulationCampaignOptions { Arm = RoutingArm.RandomReplica, StopAtFirstFinding = true };
        var seed = SimulationCampaign.Run(careless, TestContext.Current.CancellationToken).FailingSeeds[0].Seed;
        var replay = await RanCommand.RunAsync("simulate", "--seed", $"{seed}", "--policy", "RandomReplica", "--json", "--export", file);
        var check = await RanCommand.RunAsync("check", file, "--json");

        replay.Json.GetProperty("violations").GetInt64().ShouldBeGreaterThan(0);
        JsonElement.DeepEquals(check.Json, replay.Json.GetProperty("verdict")).ShouldBeTrue();
        check.ExitCode.ShouldBe(ExitCode.Finding);
    }

    [Fact]
    public async Task An_interrupted_campaign_is_reported_and_is_not_a_success()
    {
        var ran = await RanCommand.RunAsync(int.MaxValue, new CancellationToken(canceled: true), "simulate", "--policy", "AlwaysPrimary");
        ran.Errors.ShouldContain("interrupted");
        ran.ExitCode.ShouldBe(ExitCode.WrongUsage);
    }

    [Theory]
    [InlineData("--profile does not accept \"Sunny\". Valid values: Mixed, Healthy,", "--profile", "Sunny")]
    [InlineData("--profile does not accept \"1\"", "--profile", "1")]
    [InlineData("--policy does not accept \"none\"", "--policy", "none")]
    [InlineData("--fault does not accept \"all\"", "--fault", "all")]
    [InlineData("--seed must be an integer from 0 to 2147483647, not \"abc\"", "--seed", "abc")]
    [InlineData("--seeds must be an integer from 1", "--seeds", "0")]
    [InlineData("--seeds must be an integer from 1", "--seeds", "99999999999")]
    [InlineData("--parallel must be an integer from 1", "--parallel", "-1")]
    [InlineData("--seed and --seeds cannot be combined", "--seed", "1", "--seeds", "2")]
    [InlineData("--seed and --faults cannot be combined", "--seed", "1", "--faults")]
    [InlineData("--faults and --fault cannot be combined", "--faults", "--fault", "GateAsObservedWatermark")]
    [InlineData("--json and --markdown cannot be combined", "--json", "--markdown")]
    [InlineData("--profile all and --seed cannot be combined", "--profile", "all", "--seed", "1")]
    [InlineData("--html applies to a single run and requires --seed", "--html", "x.html")]
    [InlineData("--export applies to a single run and requires --seed", "--export", "x.txt")]
    [InlineData("leaves too few seeds", "--from", "2147483647", "--seeds", "2")]
    [InlineData("extra", "extra")]
    public async Task Wrong_usage_is_rejected_with_a_reason(string complaint, params string[] arguments)
    {
        var ran = await RanCommand.RunAsync(["simulate", .. arguments]);
        ran.Errors.ShouldContain(complaint);
        ran.Output.ShouldBeEmpty();
        ran.ExitCode.ShouldBe(ExitCode.WrongUsage);
    }
}
