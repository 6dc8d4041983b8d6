using System.Text.Json.Serialization;

namespace Tidemark.Cli.Status;

/// <summary>One node as <c>tidemark status</c> shows it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Address">Host and port.</param>
/// <param name="Role">What it was found to be.</param>
/// <param name="IsServing">It belongs to the cluster and answers.</param>
/// <param name="Problem">Why it serves nothing; null when it does.</param>
/// <param name="Timeline">What it writes or follows; 0 when unknown.</param>
/// <param name="Position">On the primary the flush position, on a replica what it has replayed; null when unknown.</param>
/// <param name="LagBytes">How much of the primary's WAL a replica has not replayed.</param>
/// <param name="StalenessMs">A replica shows everything committed longer ago than this; null when unknown.</param>
/// <param name="Load">What it is busy with; null when it does not say.</param>
/// <param name="Notes">What a healthy replica would not have, such as paused replay.</param>
/// <param name="Version">The major version of the server; null when unknown.</param>
internal sealed record NodeRecord(
    string Name, string Address, NodeRole Role, bool IsServing, string? Problem, uint Timeline, string? Position, long? LagBytes,
        double? StalenessMs, LoadRecord? Load,
    IReadOnlyList<string> Notes, int? Version)
{
    /// <summary>In a word.</summary>
    [JsonIgnore]
    public string Health => Problem ?? (Notes.Count == 0 ? "ok" : string.Join(", ", Notes));

    /// <summary>Whether that is good.</summary>
    [JsonIgnore]
    public Tone HealthTone => !IsServing ? Tone.Bad : Notes.Count == 0 ? Tone.Good : Tone.Strong;
}
