using System.Text.Json.Serialization;

namespace Tidemark.Cli.Status;

/// <summary>One node as <c>tidemark status</c> shows it.</summary>
/// <param name="Name">The name of the node.</param>
/// <param name="Address">Host and port.</param>
/// <param name="Role">The role that the monitor concluded.</param>
/// <param name="IsServing">Whether it belongs to the cluster and responds.</param>
/// <param name="Problem">Why it serves nothing; <c>null</c> if it serves.</param>
/// <param name="Timeline">The timeline that it writes or follows; 0 if unknown.</param>
/// <param name="Position">The flushed LSN of a primary or the replayed LSN of a replica; <c>null</c> if unknown.</param>
/// <param name="LagBytes">Bytes of the primary's WAL that a replica has not replayed.</param>
/// <param name="StalenessMs">
/// Upper bound of the staleness: a replica shows everything committed longer ago than this; <c>null</c> if unknown.
/// </param>
/// <param name="Load">The load of the node; <c>null</c> if unknown.</param>
/// <param name="Notes">Conditions that a healthy replica does not have, such as paused replay.</param>
/// <param name="Version">The major version of the server; <c>null</c> if unknown.</param>
internal sealed record NodeRecord(
    string Name, string Address, NodeRole Role, bool IsServing, string? Problem, uint Timeline, string? Position, long? LagBytes,
        double? StalenessMs, LoadRecord? Load,
    IReadOnlyList<string> Notes, int? Version)
{
    /// <summary>The health as a short text.</summary>
    [JsonIgnore]
    public string Health => Problem ?? (Notes.Count == 0 ? "ok" : string.Join(", ", Notes));

    /// <summary>The colour of the health.</summary>
    [JsonIgnore]
    public Tone HealthTone => !IsServing ? Tone.Bad : Notes.Count == 0 ? Tone.Good : Tone.Strong;
}
