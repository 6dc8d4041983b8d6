using System.Collections.Immutable;
using Tidemark.Cli.Doctor.Checks;

namespace Tidemark.Cli.Doctor;

/// <summary>One rule: derives findings from what the servers reported. Pure.</summary>
/// <param name="Id">Stable name of the check; also the section of docs/doctor.md.</param>
/// <param name="Of">The nodes that the check applies to.</param>
/// <param name="Needs">The sections that it needs of each node. If one is missing, the check is reported as not made.</param>
/// <param name="Find">The rule.</param>
internal sealed record Check(string Id, Of Of, ImmutableArray<Section> Needs, Func<ClusterFacts, IEnumerable<Finding>> Find)
{
    /// <summary>All checks.</summary>
    public static ImmutableArray<Check> All { get; } =
    [
        .. ReachChecks.All, .. RoleChecks.All, .. StreamChecks.All, .. LagChecks.All, .. SlotChecks.All, .. SynchronousChecks.All,
        .. ReplicationSettingChecks.All, .. ServerSettingChecks.All, .. ConflictChecks.All, .. TransactionChecks.All,
            .. ConnectionChecks.All, .. ObjectChecks.All, .. RightChecks.All,
    ];

    /// <summary>Returns one finding about all nodes that have evidence, or none if no node has.</summary>
    public static IEnumerable<Finding> Where(IEnumerable<NodeFacts> nodes, Func<NodeFacts, string?> evidence, Severity severity,
        string consequence, params ImmutableArray<string> remedy)
    {
        var shown = nodes.Select(node => (node.Name, Evidence: evidence(node))).Where(node => node.Evidence is not null).ToList();
        if (shown.Count > 0)
            yield return new Finding(severity, [.. shown.Select(node => node.Name)],
                [.. shown.Select(node => $"{node.Name}: {node.Evidence}")], consequence, remedy);
    }

    /// <summary>The names of nodes, for a remedy that applies only to some nodes of a finding.</summary>
    public static string Names(IEnumerable<NodeFacts> nodes) => string.Join(", ", nodes.Select(node => node.Name));

    /// <summary>The remedy for a setting that takes effect with a reload.</summary>
    public static ImmutableArray<string> Set(string setting, string value) =>
        [$"ALTER SYSTEM SET {setting} = {value};", "SELECT pg_reload_conf();"];

    /// <summary>The remedy for a setting that takes effect only with a restart.</summary>
    public static ImmutableArray<string> SetAndRestart(string setting, string value) =>
        [$"ALTER SYSTEM SET {setting} = {value};", "Restart the server."];
}
