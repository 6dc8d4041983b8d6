using Tidemark.Verification;

namespace Tidemark.Cli.Simulate;

/// <summary>Runs a campaign for each requested profile and policy, prints the results, and returns the exit code.</summary>
internal sealed class Campaigns(Terminal terminal, Form form)
{
    private const int MaxFailingSeedsPrinted = 10;

    public ExitCode Run(SimulationCampaignOptions options, IReadOnlyList<LagProfile> profiles, IReadOnlyList<RoutingArm> policies,
        CancellationToken cancellationToken)
    {
        var cells = policies.SelectMany(policy => profiles.Select(profile => options with { Profile = profile, Arm = policy })).ToList();
        var results = terminal.WithProgress("Simulating", report => RunAll(cells, report, cancellationToken));
        var record = CampaignRecord.Of(results);
        switch (form)
        {
            case Form.Json: Json.Write(terminal, record); break;
            case Form.Markdown: CampaignTables.WriteMarkdown(terminal, record); break;
            default: Write(record, options.Seeds * cells.Count(cell => cell.Arm == record.Policy), isTable: cells.Count > 1); break;
        }

        if (record.IsCancelled) terminal.Error.WriteLine("tidemark: interrupted. The results cover only the completed runs.");
        return Evaluate(record);
    }

    private static List<SimulationCampaignResult> RunAll(List<SimulationCampaignOptions> cells, Action<double, string> report,
        CancellationToken cancellationToken)
    {
        List<SimulationCampaignResult> results = [];
        foreach (var cell in cells)
        {
            // The first campaign always runs, so that its result records the cancellation.
            if (results.Count > 0 && cancellationToken.IsCancellationRequested) break;
            var done = results.Count;
            var progress =
                new Progress(now =>
                report((done + ((double)now.Seeds / now.OfSeeds)) / cells.Count,
                    $"{cell.Arm}, {cell.Profile}, {now.FailingSeeds} failing"));
            results.Add(SimulationCampaign.Run(cell with { Progress = progress }, cancellationToken));
        }

        return results;
    }

    // Other policies are expected to violate guarantees, and an injected fault is expected to be detected.
    private static ExitCode Evaluate(CampaignRecord record) => record switch
    {
        { FailingSeeds: var seeds } when seeds.Any(seed => seed.Finding is SimulationFinding.AnotherRun or SimulationFinding.Error) =>
            ExitCode.Finding,
        { Policy: not RoutingArm.Tidemark } => Unfound(record),
        { Fault: PlantedFault.None, FailingSeedCount: > 0 } => ExitCode.Finding,
        { Fault: not PlantedFault.None, FailingSeedCount: 0, IsCancelled: false } => ExitCode.Finding,
        _ => Unfound(record),
    };

    private static ExitCode Unfound(CampaignRecord record) => record.IsCancelled ? ExitCode.WrongUsage : ExitCode.Success;

    private void Write(CampaignRecord record, int ofSeeds, bool isTable)
    {
        if (isTable)
        {
            CampaignTables.Cells.Write(terminal, record.Cells);
            terminal.Line();
        }

        Facts.Write(
            terminal,
            ("Policy", record.Fault == PlantedFault.None ? $"{record.Policy}" : $"{record.Policy}, with {record.Fault}"),
            ("Seeds", record.Seeds == ofSeeds ? Words.Count(record.Seeds) : $"{Words.Count(record.Seeds)} of {Words.Count(ofSeeds)}"),
            ("Operations", Words.Count(record.Operations)),
            ("Reads", Words.Count(record.Reads)),
            ("Violations", record.Violations == 0
                ? "0" : $"{Words.Count(record.Violations)} "
                    + $"({string.Join(", ", record.ViolationsByKind.Select(kind => $"{kind.Key} {Words.Count(kind.Value)}"))})"),
            ("Broken invariants", Words.Count(record.BrokenInvariants)),
            ("Lost in failovers", $"{Words.Count(record.LostWrites)} writes"),
            ("Lost, unreported", Words.Count(record.LostWritesUnreported)),
            ("Offload efficiency", string.Join(", ", record.OffloadEfficiency.Select(of => $"{of.Key} {Words.Percent(of.Value)}"))),
            ("Determinism", $"{Words.Count(record.DeterminismChecked)} seeds run twice"),
            ("Time", $"{Words.Seconds(TimeSpan.FromSeconds(record.Seconds))}, {Words.Count((long)record.OperationsPerSecondAndCore)} "
                + $"operations per second and core"));
        terminal.Line();
        WriteFindings(record);
    }

    private void WriteFindings(CampaignRecord record)
    {
        if (record.FailingSeedCount == 0)
        {
            terminal.Line(record.Fault == PlantedFault.None
                ? "Clean: no guarantee and no invariant was violated." : $"{record.Fault} was not detected.",
                record.Fault == PlantedFault.None
                ? Tone.Good : Tone.Bad);
            return;
        }

        foreach (var seed in record.FailingSeeds.Take(MaxFailingSeedsPrinted))
            terminal.Line($"Seed {seed.Seed} ({seed.Profile}): {seed.Text}");
        if (record.FailingSeedCount > MaxFailingSeedsPrinted)
            terminal.Line($"… and {Words.Count(record.FailingSeedCount - MaxFailingSeedsPrinted)} more seeds.", Tone.Quiet);
        terminal.Line();
        terminal.Line($"{Words.Count(record.FailingSeedCount)} of {Words.Count(record.Seeds)} seeds failed. To replay the first:",
            record.Fault == PlantedFault.None ? Tone.Bad : Tone.Plain);
        var first = record.FailingSeeds[0];
        var fault = record.Fault == PlantedFault.None ? "" : $" --fault {record.Fault}";
        var policy = first.Policy == RoutingArm.Tidemark ? "" : $" --policy {first.Policy}";
        var profile = first.Profile == LagProfile.Mixed ? "" : $" --profile {first.Profile}";
        terminal.Line($"  tidemark simulate --seed {first.Seed}{profile}{policy}{fault} --html seed{first.Seed}.html");
    }

    private sealed class Progress(Action<SimulationCampaignProgress> report) : IProgress<SimulationCampaignProgress>
    {
        public void Report(SimulationCampaignProgress value) => report(value);
    }
}
