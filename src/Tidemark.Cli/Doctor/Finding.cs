using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace Tidemark.Cli.Doctor;

/// <summary>One thing that is not as it should be.</summary>
/// <param name="Severity">How much it matters.</param>
/// <param name="Nodes">Where it is.</param>
/// <param name="Evidence">What the servers said, a line for each.</param>
/// <param name="Consequence">What comes of it.</param>
/// <param name="Remedy">What mends it, a line for each step: SQL, or lines of settings.</param>
internal sealed record Finding(Severity Severity, ImmutableArray<string> Nodes, ImmutableArray<string> Evidence, string Consequence,
    ImmutableArray<string> Remedy)
{
    /// <summary>The check that found it; also the section of docs/doctor.md.</summary>
    [JsonPropertyOrder(-1)]
    public string Id { get; init; } = "";
}
