using System.Text.Json;
using Tidemark.Cli;
using Tidemark.Verification;

namespace Tidemark;

public sealed class SimulateCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("tidemark-simulate-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Json_has_the_figures_of_the_campaign()
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
    public async Task A_fault_that_is_caught_is_a_success_and_one_that_is_not_a_finding()
    {
        var caught = await RanCommand.RunAsync("simulate", "--seeds", "30", "--fault", "GateAsSeenWatermark", "--json");
        caught.Json.GetProperty("violations").GetInt64().ShouldBeGreaterThan(0);
        caught.ExitCode.ShouldBe(ExitCode.Success);

        var missed = await RanCommand.RunAsync("simulate", "--seeds", "1", "--fault", "YoungConnectionProven");
        missed.Output.ShouldContain("Nothing caught YoungConnectionProven.");
        missed.ExitCode.ShouldBe(ExitCode.Finding);
    }

    [Fact]
    public async Task The_promises_that_other_policies_break_are_counted_and_no_finding()
    {
        var ran = await RanCommand.RunAsync("simulate", "--seeds", "3", "--policy", "randomreplica", "--json");
        ran.Json.GetProperty("violations").GetInt64().ShouldBeGreaterThan(0);
        ran.ExitCode.ShouldBe(ExitCode.Success);
    }

    [Fact]
    public async Task Every_fault_has_its_row_in_the_kill_table()
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
    public async Task On_forty_columns_no_line_is_longer()
    {
        var ran = await RanCommand.RunAsync(40, CancellationToken.None, "simulate", "--seeds", "1", "--policy", "all");
        ran.Lines.ShouldAllBe(line => line.Length <= 40);
        ran.Output.ShouldContain("Timer30");
    }

    [Fact]
    public async Task A_seed_is_replayed_with_its_trace_and_twice_in_the_same_words()
    {
        string[] replay = ["simulate", "--seed", "17"];
        var ran = await RanCommand.RunAsync(replay);

        ran.Lines[0].ShouldContain("seed 17:");
        ran.Output.ShouldContain("everything is healed");
        ran.Output.ShouldContain("Fingerprint");
        (await RanCommand.RunAsync(replay)).ShouldBe(ran);
    }

    [Fact]
    public async Task An_exported_history_is_judged_as_the_seed_was()
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
    public async Task A_stopped_campaign_says_so_and_is_no_success()
    {
        var ran = await RanCommand.RunAsync(int.MaxValue, new CancellationToken(canceled: true), "simulate", "--policy", "AlwaysPrimary");
        ran.Errors.ShouldContain("stopped");
        ran.ExitCode.ShouldBe(ExitCode.WrongUsage);
    }

    [Theory]
    [InlineData("--profile knows no \"Sunny\". It knows Mixed, Healthy,", "--profile", "Sunny")]
    [InlineData("--profile knows no \"1\"", "--profile", "1")]
    [InlineData("--policy knows no \"none\"", "--policy", "none")]
    [InlineData("--fault knows no \"all\"", "--fault", "all")]
    [InlineData("--seed takes a whole number from 0 to 2147483647, and not \"abc\"", "--seed", "abc")]
    [InlineData("--seeds takes a whole number from 1", "--seeds", "0")]
    [InlineData("--seeds takes a whole number from 1", "--seeds", "99999999999")]
    [InlineData("--parallel takes a whole number from 1", "--parallel", "-1")]
    [InlineData("--seed and --seeds contradict", "--seed", "1", "--seeds", "2")]
    [InlineData("--seed and --faults contradict", "--seed", "1", "--faults")]
    [InlineData("--faults and --fault contradict", "--faults", "--fault", "GateAsSeenWatermark")]
    [InlineData("--json and --markdown contradict", "--json", "--markdown")]
    [InlineData("--profile all and --seed contradict", "--profile", "all", "--seed", "1")]
    [InlineData("--html tells of one world, and needs --seed", "--html", "x.html")]
    [InlineData("--export tells of one world, and needs --seed", "--export", "x.txt")]
    [InlineData("leaves too few seeds", "--from", "2147483647", "--seeds", "2")]
    [InlineData("extra", "extra")]
    public async Task Wrong_usage_is_refused_with_what_is_wrong(string complaint, params string[] arguments)
    {
        var ran = await RanCommand.RunAsync(["simulate", .. arguments]);
        ran.Errors.ShouldContain(complaint);
        ran.Output.ShouldBeEmpty();
        ran.ExitCode.ShouldBe(ExitCode.WrongUsage);
    }
}
