using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace Tidemark.Cli.Doctor;

/// <summary>What came of a check-up: the records that people read and <c>--json</c> prints.</summary>
/// <param name="Nodes">The nodes, as they were given.</param>
/// <param name="Findings">The worst first, then by id.</param>
/// <param name="NotChecked">What could not be checked, and why.</param>
/// <param name="Checks">How many checks ran.</param>
internal sealed record Diagnosis(ImmutableArray<ExaminedNode> Nodes, ImmutableArray<Finding> Findings,
    ImmutableArray<NotChecked> NotChecked, int Checks)
{
    /// <summary>Where the cluster was found.</summary>
    [JsonPropertyOrder(-1)]
    public string Source { get; init; } = "";

    /// <summary>The identity of the cluster, for the setting <c>SystemIdentifier</c>; null while no node says.</summary>
    public string? SystemIdentifier { get; init; }

    /// <summary>Whether there is nothing that should be mended.</summary>
    [JsonIgnore]
    public bool IsWell => Findings.All(finding => finding.Severity == Severity.Notice);

    /// <summary>Whether no node answered at all.</summary>
    public static bool IsBlind(ClusterFacts cluster) => !cluster.Reached.Any();

    /// <summary>Makes all checks. Pure.</summary>
    public static Diagnosis Of(ClusterFacts cluster) => new(
        [.. cluster.Nodes.Select(node =>
            new ExaminedNode(node.Name, node.IsReplica switch { true => "replica", false => "primary", null => null }, node.Server?.Version,
            node.Failure is null))],
        [.. Check.All.SelectMany(check => check.Find(cluster).Select(finding => finding with { Id = check.Id }))
            .OrderBy(finding => finding.Severity).ThenBy(finding => finding.Id, StringComparer.Ordinal)
            .ThenBy(finding => finding.Nodes[0], StringComparer.Ordinal)],
        [.. NotCheckedOn(cluster).OrderBy(one => one.Node, StringComparer.Ordinal).ThenBy(one => one.Check, StringComparer.Ordinal)],
        Check.All.Length)
    {
        SystemIdentifier = cluster.SystemIdentifier,
    };

    private static IEnumerable<NotChecked> NotCheckedOn(ClusterFacts cluster)
    {
        foreach (var node in cluster.Nodes)
        {
            if (node.Failure is { } failure)
            {
                yield return new NotChecked("all", node.Name, failure.Reason);
                continue;
            }

            foreach (var check in Check.All.Where(check => IsAbout(check, node)))
            {
                var missing = check.Needs.Where(node.Unseen.ContainsKey).ToList();
                if (missing.Count > 0) yield return new NotChecked(check.Id, node.Name, node.Unseen[missing[0]]);
            }
        }
    }

    private static bool IsAbout(Check check, NodeFacts node) => check.Of switch
    {
        Doctor.Of.Primary => node.IsReplica != true,
        Doctor.Of.Replicas => node.IsReplica != false,
        _ => true,
    };
}
