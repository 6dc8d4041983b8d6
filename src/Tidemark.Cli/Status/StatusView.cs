namespace Tidemark.Cli.Status;

/// <summary>Prints the state of a cluster as text.</summary>
internal static class StatusView
{
    private static readonly Column<NodeRecord>[] Columns =
    [
        new("Node", node => node.Name, Tone: _ => Tone.Strong),
        new("Role", node => node.Role == NodeRole.Unknown ? "-" : node.Role.ToString().ToLowerInvariant()),
        new("Position", node => node.Position ?? "-"),
        new("Timeline", node => node.Timeline == 0 ? "-" : Words.Count(node.Timeline), IsNumber: true),
        new("Lag", node => Words.Bytes(node.LagBytes), IsNumber: true),
        new("Staleness", node => node.StalenessMs is { } ms ? $"≤ {Words.Duration(ms)}" : "-", IsNumber: true),
        new("Load", node => node.Load is { } load
            ? $"{load.Active?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "?"} active, "
                + $"{Words.Count(load.Connections)}/{Words.Count(load.MaxConnections)}" : "-"),
        new("Health", node => node.Health, Tone: node => node.HealthTone),
    ];

    public static void Write(Terminal terminal, ClusterRecord cluster)
    {
        Head(terminal, cluster);
        new Table<NodeRecord>(Columns).Write(terminal, cluster.Nodes);
    }

    /// <summary>Prints the state with the recent history of the staleness.</summary>
    public static void Write(Terminal terminal, ClusterRecord cluster, IReadOnlyDictionary<string, Sparkline> staleness)
    {
        Head(terminal, cluster);
        var history = new Column<NodeRecord>("Recent staleness", node => staleness.GetValueOrDefault(node.Name)?.ToString() ?? "");
        new Table<NodeRecord>([.. Columns[..^1], history, Columns[^1]]).Write(terminal, cluster.Nodes);
    }

    private static void Head(Terminal terminal, ClusterRecord cluster)
    {
        var serving = cluster.Nodes.Count(node => node.IsServing);
        var nodes = cluster.Nodes.Count;
        var text = cluster.Primary is { } primary
            ? $"{primary} is the primary, {serving} of {nodes} {(nodes == 1 ? "node" : "nodes")} can serve"
            : "No primary: writes fail";
        terminal.Line($"{text} (cluster from {cluster.Source}).", cluster.IsWell ? Tone.Plain : Tone.Bad);
        terminal.Line();
    }
}
