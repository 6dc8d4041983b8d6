namespace Tidemark.Cli.Doctor;

/// <param name="Position">The LSN that a replica has replayed or a primary has flushed, in bytes.</param>
/// <param name="Timeline">The timeline of a primary; <c>null</c> for a replica.</param>
/// <param name="Pause">The pause state of a replica's replay: <c>not paused</c>, <c>pause requested</c>, <c>paused</c>.</param>
/// <param name="LastCommitAt">
/// The time of the last commit that a replica has replayed, by the clock of the primary; seconds since 1970.
/// </param>
/// <param name="Clock">The clock of the server; seconds since 1970.</param>
internal sealed record PositionFacts(long? Position, int? Timeline, string? Pause, double? LastCommitAt, double Clock);
