using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace Tidemark.Cli.Doctor;

/// <summary>The result of <c>tidemark doctor</c>: the records that the text report shows and <c>--json</c> prints.</summary>
/// <param name="Nodes">The nodes, in the order in which they were given.</param>
/// <param name="Findings">The findings, the most severe first, then by id.</param>
/// <param name="NotChecked">What could not be checked, and why.</param>
/// <param name="Checks">How many checks ran.</param>
internal sealed record Diagnosis(ImmutableArray<ExaminedNode> Nodes, ImmutableArray<Finding> Findings,
    ImmutableArray<NotChecked> NotChecked, int Checks)
{
    /// <summary>Where the cluster was configured.</summary>
    [JsonPropertyOrder(-1)]
    public string Source { get; init; } = "";

    /// <summary>The identity of the cluster, for the setting <c>SystemIdentifier</c>; <c>null</c> if no node reported it.</summary>
    public string? SystemIdentifier { get; init; }

    /// <summary>Whether no finding is an error or a warning.</summary>
    [JsonIgnore]
    public bool IsWell => Findings.All(finding => finding.Severity == Severity.Notice);

    /// <summary>Whether no node responded.</summary>
    public static bool IsBlind(ClusterFacts cluster) => !cluster.Reached.Any();

    /// <summary>Runs all checks. Pure.</summary>
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
