using Tidemark.Testing;

namespace Tidemark.Cli.Local;

/// <summary>Prints local clusters as text.</summary>
internal static class LocalView
{
    private static readonly Table<LocalNodeRecord> Nodes = new(
        new("Node", node => node.Name),
        new("Role", node => RoleOf(node.Role), Tone: node => node.Role == LocalNodeRole.Primary ? Tone.Strong : Tone.Plain),
        new("Process", node => node.ProcessId is { } id ? node.Answers ? $"{id}" : node.Refusal is null
            ? $"{id}, no response" : $"{id}, rejecting" : "down", Tone: node => node.Answers ? Tone.Good : Tone.Bad),
        new("Port", node => $"{node.Port}", IsNumber: true),
        new("Follows", node => node.Follows is null ? "-" : node.Streaming ? node.Follows : $"{node.Follows}, not streaming"),
        new("Timeline", node => node.Timeline is { } timeline ? $"{timeline}" : "-", IsNumber: true),
        new("Position", node => node.Position ?? "-", IsNumber: true),
        new("Lag", node => Words.Bytes(node.LagBytes), IsNumber: true),
        new("Replay", node => ReplayOf(node)));

    private static readonly Table<LocalListRecord> Clusters = new(
        new("Cluster", cluster => cluster.Name),
        new("PostgreSQL", cluster => $"{cluster.PostgresVersion}", IsNumber: true),
        new("Database", cluster => cluster.Database ?? ""),
        new("Nodes", cluster => $"{cluster.Nodes}", IsNumber: true),
        new("Running", cluster => $"{cluster.Running}", IsNumber: true, Tone: cluster => cluster.Running == cluster.Nodes
            ? Tone.Good : Tone.Bad),
        new("Problem", cluster => cluster.Problem?.Split('\n')[0] ?? ""));

    public static void Write(Terminal terminal, LocalClusterRecord cluster)
    {
        terminal.Line(
            $"{cluster.Name}: PostgreSQL {cluster.PostgresVersion}, database "
                + $"{cluster.Database}{(cluster.SynchronousReplicas ? ", synchronous replicas" : "")}", Tone.Strong);
        Nodes.Write(terminal, cluster.Nodes);
        if (cluster.Findings.Count > 0) terminal.Line();
        foreach (var finding in cluster.Findings) terminal.Line(finding, Tone.Bad);
        terminal.Line();
        terminal.Line("Connection string for Npgsql (all nodes):", Tone.Quiet);
        terminal.Out.WriteLine(cluster.ConnectionString);       // never wrapped, since the user copies it
    }

    public static void Write(Terminal terminal, IReadOnlyList<LocalListRecord> clusters) => Clusters.Write(terminal, clusters);

    /// <summary>Prints suggested next steps.</summary>
    public static void WriteNextSteps(Terminal terminal, LocalClusterRecord cluster)
    {
        var replica = cluster.Nodes.FirstOrDefault(node => node.Role == LocalNodeRole.Replica)?.Name;
        if (cluster.Nodes.FirstOrDefault(node => node.Role == LocalNodeRole.Primary) is not { } primary)
            return;     // the problems were already printed
        terminal.Line();
        terminal.Line("With psql, on the primary:", Tone.Quiet);
        terminal.Out.WriteLine($"psql -h 127.0.0.1 -p {primary.Port} -U postgres {Shell(cluster.Database)}");
        terminal.Line();
        terminal.Line("Try:", Tone.Quiet);
        List<(string Name, string Value)> steps = [];
        void Step(string rest, string what) => steps.Add((LocalHints.Command(cluster.Name, rest), what));
        if (replica is not null)
        {
            Step($"pause {replica}", "make a replica lag");
            Step($"resume {replica}", "let it catch up");
            Step($"kill {primary.Name}", "crash the primary");
            Step($"promote {replica}", "fail over to a replica");
            Step($"rejoin {primary.Name}", "make the old primary a replica");
        }

        Step("status", "show the state of the cluster");
        Step("down", "stop it and delete its data");
        Facts.Write(terminal, [.. steps]);
    }

    private static string Shell(string word) =>
        word.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '_' or '-')
        ? word : $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    private static string RoleOf(LocalNodeRole role) => role switch
    {
        LocalNodeRole.Primary => "primary",
        LocalNodeRole.OldPrimary => "old primary",
        _ => "replica",
    };

    private static string ReplayOf(LocalNodeRecord node) =>
        string.Join(", ",
        new[] { node.Paused ? "paused" : "", node.DelayMs > 0 ? $"{Words.Count(node.DelayMs)} ms delay" : "" }
        .Where(part => part.Length > 0)
        .DefaultIfEmpty("-"));
}
