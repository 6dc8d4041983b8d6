using Tidemark.Verification;

namespace Tidemark.Cli.Simulate;

/// <summary>Tables of policies by profiles: a list of records for a terminal, a grid for a document.</summary>
internal static class CampaignTables
{
    public static Table<CellRecord> Cells { get; } = new(
        new("Policy", cell => $"{cell.Policy}"),
        new("Profile", cell => $"{cell.Profile}"),
        new("Seeds", cell => Words.Count(cell.Seeds), IsNumber: true),
        new("Reads", cell => Words.Count(cell.Reads), IsNumber: true),
        new("Offload efficiency", cell => Words.Percent(cell.OffloadEfficiency), IsNumber: true),
        new("On replicas", cell => Words.Percent(cell.ShareOnReplicas), IsNumber: true),
        new("Violations per 10,000 reads", cell => Words.Rate(cell.ViolationsPer10000Reads), IsNumber: true));

    public static void WriteMarkdown(Terminal terminal, CampaignRecord record)
    {
        var profiles = record.Cells.Select(cell => cell.Profile).Distinct().ToList();
        var cells = record.Cells.ToDictionary(cell => (cell.Policy, cell.Profile));
        string Cell(RoutingArm policy, LagProfile profile) => cells.TryGetValue((policy, profile), out var cell)
            ? $"{Words.Percent(cell.OffloadEfficiency)} · {Words.Percent(cell.ShareOnReplicas)} · "
                + $"{Words.Rate(cell.ViolationsPer10000Reads)}"
            : "-";

        terminal.Out.WriteLine("Offload efficiency · share of all reads on replicas · violations per 10,000 reads");
        terminal.Out.WriteLine();
        var columns = profiles.Select(profile => new Column<RoutingArm>($"{profile}", policy => Cell(policy, profile), IsNumber: true));
        new Table<RoutingArm>([new("Policy", policy => $"{policy}"), .. columns])
            .WriteMarkdown(terminal.Out, record.Cells.Select(cell => cell.Policy).Distinct());
    }
}
