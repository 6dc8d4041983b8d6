using System.Collections.Immutable;
using System.CommandLine;
using System.CommandLine.Parsing;
using Tidemark.Cli.Simulate;
using Tidemark.Verification;

namespace Tidemark.Cli.Commands;

/// <summary>
/// <c>tidemark simulate</c>: runs the library against simulated servers. Handles only the command line; the runs are in <c>Simulate</c>.
/// </summary>
internal sealed class SimulateCommand : TidemarkRootCommand
{
    private const int DefaultSeeds = 1000;
    private const int DefaultSeedsOfTable = 20;
    private const int DefaultSeedsOfFaults = 10_000;

    private readonly Option<int?> _seeds =
        Choices.Number("--seeds", $"Number of simulation runs. Default: {DefaultSeeds}; {DefaultSeedsOfTable} per cell with --profile all "
        + $"or --policy all; up to {DefaultSeedsOfFaults} per fault with --faults.", least: 1);
    private readonly Option<int?> _from = Choices.Number("--from", "The first seed. Default: 1.", least: 0);
    private readonly Option<int?> _seed = Choices.Number("--seed", "Replay one seed and print a trace of its events.", least: 0);
    private readonly Option<ImmutableArray<LagProfile>> _profile =
        Choices.OneOrAll("--profile", "The lag of replicas", LagProfile.Mixed);
    private readonly Option<ImmutableArray<RoutingArm>> _policy =
        Choices.OneOrAll("--policy", "The policy that routes reads: Tidemark, or a common alternative for comparison", RoutingArm.Tidemark);
    private readonly Option<PlantedFault> _fault =
        Choices.One<PlantedFault>("--fault", "A fault to inject into the library. --faults lists the faults.");
    private readonly Option<bool> _faults = new("--faults")
    {
        Description = "Inject each known fault in turn, and count the seeds until it is detected.",
    };
    private readonly Option<bool> _json = JsonOption();
    private readonly Option<bool> _markdown = new("--markdown") { Description = "Print tables as Markdown." };
    private readonly Option<string?> _html = Choices.File("--html", "With --seed: write an HTML page with charts and a diagram of "
        + "each violation.");
    private readonly Option<string?> _export =
        Choices.File("--export", "With --seed: write the history to a file, for 'tidemark check' and other checkers.");
    private readonly Option<int?> _parallel = Choices.Number("--parallel", "Number of concurrent simulation runs. Default: the number of "
        + "processors.", least: 1, most: 1024);

    public SimulateCommand(Terminal terminal)
        : base(
            terminal, "simulate", "Run the library against simulated servers with random failures, and check what clients observed.",
            "tidemark simulate --seeds 10000", "tidemark simulate --seed 17 --html seed17.html", "tidemark simulate --faults --json",
            "tidemark simulate --profile all --policy all --markdown",
                "tidemark simulate --seed 1 --fault GateAsObservedWatermark --html x.html")
    {
        foreach (var option in new Option[] { _seeds, _from, _seed, _profile, _policy, _fault, _faults, _parallel, _json, _markdown, _html,
            _export }) Add(option);
        Validators.Add(RefuseContradictions);
    }

    protected override Task<ExitCode> RunAsync(ParseResult result, CancellationToken cancellationToken)
    {
        var (profiles, policies) = (result.GetValue(_profile), result.GetValue(_policy));
        var form = result.GetValue(_json) ? Form.Json : result.GetValue(_markdown) ? Form.Markdown : Form.Text;
        if (result.GetValue(_seed) is { } seed)
        {
            var world = new SimulationOptions { Seed = seed, Profile = profiles[0], Arm = policies[0], Fault = result.GetValue(_fault) };
            return new SeedReplay(Terminal, form, result.GetValue(_html), result.GetValue(_export)).RunAsync(world, cancellationToken);
        }

        var isTable = profiles.Length * policies.Length > 1;
        var isHunt = result.GetValue(_faults);
        var options = new SimulationCampaignOptions
        {
            FirstSeed = result.GetValue(_from) ?? 1,
            Seeds = result.GetValue(_seeds) ?? (isHunt ? DefaultSeedsOfFaults : isTable ? DefaultSeedsOfTable : DefaultSeeds),
            Profile = profiles[0], Arm = policies[0], Fault = result.GetValue(_fault),
            Parallelism = result.GetValue(_parallel) ?? Environment.ProcessorCount,
        };
        return Task.FromResult(isHunt
            ? new FaultTable(Terminal, form).Run(options, cancellationToken)
            : new Campaigns(Terminal, form).Run(options, profiles, policies, cancellationToken));
    }

    private void RefuseContradictions(CommandResult given)
    {
        void Together(Option one, string why, params Option[] others)
        {
            foreach (var other in others.Where(other => given.Has(one) && given.Has(other)))
                given.AddError($"{one.Name} and {other.Name} cannot be combined: {why}");
        }

        void Needs(Option one, Option other)
        {
            if (given.Has(one) && !given.Has(other)) given.AddError($"{one.Name} applies to a single run and requires {other.Name}.");
        }

        Together(_seed, "--seed replays a single run.", _seeds, _from, _faults, _parallel, _markdown);
        Together(_faults, "--faults injects each fault into Tidemark.", _fault, _policy);
        Together(_json, "choose one output format.", _markdown);
        Needs(_html, _seed);
        Needs(_export, _seed);
        if (!given.Has(_seed) && !given.Has(_faults)) RefuseSeedsBeyondTheLast(given);
        RefuseAll(given, _profile);
        RefuseAll(given, _policy);
    }

    private void RefuseSeedsBeyondTheLast(CommandResult given)
    {
        if (given.Has(_from) && given.GetValue(_from) is { } from && (long)from
            + (given.GetValue(_seeds) ?? DefaultSeeds) - 1 > int.MaxValue)
            given.AddError($"--from {from} leaves too few seeds: the last seed is {int.MaxValue}.");
    }

    private void RefuseAll<T>(CommandResult given, Option<ImmutableArray<T>> option)
    {
        if (!given.Has(option) || given.GetResult(option)!.Tokens is not [{ Value: var value }]
            || !value.Equals("all", StringComparison.OrdinalIgnoreCase)) return;
        foreach (var one in new Option[] { _seed, _faults }.Where(given.Has))
            given.AddError($"{option.Name} all and {one.Name} cannot be combined: {one.Name} requires a single {option.Name[2..]}.");
    }
}
