using Tidemark.Testing;

namespace Tidemark.Cli.Local;

/// <summary>Finds the problems of a local cluster, each with the command that fixes it. Pure.</summary>
internal static class LocalFindings
{
    public static IReadOnlyList<string> Of(string cluster, bool hasSynchronousReplicas, IReadOnlyList<LocalNodeStatus> nodes)
    {
        var primary = nodes.First(node => node.Role == LocalNodeRole.Primary || nodes.All(each => each.Role != LocalNodeRole.Primary));
        List<string> findings = [.. nodes.Select(node => Of(node, primary, cluster)).OfType<string>()];
        var missing = nodes.Where(node => node.Role == LocalNodeRole.Replica && node.Follows == primary.Name && !node.IsStreaming)
            .Select(node => node.Name).ToList();
        if (hasSynchronousReplicas && primary.Answers && missing.Count > 0)
            findings.Add(
                $"Commits on {primary.Name} wait until {string.Join(" and ", missing)} {(missing.Count == 1 ? "streams" : "stream")} "
                    + $"again: the cluster has synchronous replicas.");
        return findings;
    }

    private static string? Of(LocalNodeStatus node, LocalNodeStatus primary, string cluster)
    {
        string Do(string what, string? which = null) => LocalHints.Command(cluster, $"{what} {which ?? node.Name}");
        return node switch
        {
            { IsRunning: false } when node == primary => $"{node.Name}, the primary, is down: {Do("start")}, or promote a replica.",
            { IsRunning: false, IsHalfReplaced: true } =>
                $"{node.Name} is down, and its data is incomplete because a rejoin did not finish: {Do("rejoin")}",
            { IsRunning: false, Role: LocalNodeRole.OldPrimary } =>
                $"{node.Name} is down, and was the primary before {primary.Name}: {Do("rejoin")}",
            { IsRunning: false } when node.Follows == primary.Name => $"{node.Name} is down: {Do("start")}",
            { IsRunning: false } => $"{node.Name} is down, and was left behind with {node.Follows}: {Do("rejoin")}",
            { Answers: false, Refusal: { } refusal } =>
                $"{node.Name} runs as process {node.ProcessId} but rejects connections: {refusal}. Check again in a moment: "
                    + $"{LocalHints.Command(cluster, "status")}",
            { Answers: false } => $"{node.Name} runs as process {node.ProcessId} but does not respond: {Do("kill")}",
            { Role: LocalNodeRole.OldPrimary } =>
                $"{node.Name} accepts writes that will be lost, because {primary.Name} is the primary: {Do("rejoin")}",
            { Role: LocalNodeRole.Replica } when node.Follows != primary.Name =>
                $"{node.Name} follows {node.Follows}, but {primary.Name} is the primary: {Do("rejoin")}",
            { Role: LocalNodeRole.Replica, IsStreaming: false } when primary.Answers =>
                $"{node.Name} does not stream from {primary.Name}: {Do("rejoin")}",
            _ => null,
        };
    }
}
