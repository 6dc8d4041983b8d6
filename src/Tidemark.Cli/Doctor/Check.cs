using System.Collections.Immutable;
using Tidemark.Cli.Doctor.Checks;

namespace Tidemark.Cli.Doctor;

/// <summary>One rule: what servers said, to what is wrong with it. Pure.</summary>
/// <param name="Id">Its name, which never changes; also the section of docs/doctor.md.</param>
/// <param name="Of">The nodes it looks at.</param>
/// <param name="Needs">What it must have seen of each of them; where it has not, that is reported.</param>
/// <param name="Find">The rule.</param>
internal sealed record Check(string Id, Of Of, ImmutableArray<Section> Needs, Func<ClusterFacts, IEnumerable<Finding>> Find)
{
    /// <summary>All there are.</summary>
    public static ImmutableArray<Check> All { get; } =
    [
        .. ReachChecks.All, .. RoleChecks.All, .. StreamChecks.All, .. LagChecks.All, .. SlotChecks.All, .. SynchronousChecks.All,
        .. ReplicationSettingChecks.All, .. ServerSettingChecks.All, .. ConflictChecks.All, .. TransactionChecks.All,
            .. ConnectionChecks.All, .. ObjectChecks.All, .. RightChecks.All,
    ];

    /// <summary>One finding about all nodes that have something to show, or none.</summary>
    public static IEnumerable<Finding> Where(IEnumerable<NodeFacts> nodes, Func<NodeFacts, string?> evidence, Severity severity,
        string consequence, params ImmutableArray<string> remedy)
    {
        var shown = nodes.Select(node => (node.Name, Evidence: evidence(node))).Where(node => node.Evidence is not null).ToList();
        if (shown.Count > 0)
            yield return new Finding(severity, [.. shown.Select(node => node.Name)],
                [.. shown.Select(node => $"{node.Name}: {node.Evidence}")], consequence, remedy);
    }

    /// <summary>The names of nodes, for a remedy that is not meant for all of a finding's.</summary>
    public static string Names(IEnumerable<NodeFacts> nodes) => string.Join(", ", nodes.Select(node => node.Name));

    /// <summary>The remedy of a setting that a reload brings into force.</summary>
    public static ImmutableArray<string> Set(string setting, string value) =>
        [$"ALTER SYSTEM SET {setting} = {value};", "SELECT pg_reload_conf();"];

    /// <summary>The remedy of a setting that only a restart brings into force.</summary>
    public static ImmutableArray<string> SetAndRestart(string setting, string value) =>
        [$"ALTER SYSTEM SET {setting} = {value};", "Restart the server."];
}
