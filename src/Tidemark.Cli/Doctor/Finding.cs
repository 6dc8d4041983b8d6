using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace Tidemark.Cli.Doctor;

/// <summary>A problem that a check found.</summary>
/// <param name="Severity">The severity.</param>
/// <param name="Nodes">The affected nodes.</param>
/// <param name="Evidence">What the servers reported, one line each.</param>
/// <param name="Consequence">The consequence of the problem.</param>
/// <param name="Remedy">How to fix it, one line per step: SQL, settings or instructions.</param>
internal sealed record Finding(Severity Severity, ImmutableArray<string> Nodes, ImmutableArray<string> Evidence, string Consequence,
    ImmutableArray<string> Remedy)
{
    /// <summary>The id of the check; also the section of docs/doctor.md.</summary>
    [JsonPropertyOrder(-1)]
    public string Id { get; init; } = "";
}
