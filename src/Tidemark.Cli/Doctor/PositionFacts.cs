namespace Tidemark.Cli.Doctor;

/// <param name="Position">What a replica has replayed, what a primary has flushed; bytes since the beginning.</param>
/// <param name="Timeline">Of a primary.</param>
/// <param name="Pause">Of a replica's replay: <c>not paused</c>, <c>pause requested</c>, <c>paused</c>.</param>
/// <param name="LastCommitAt">
/// When the last commit that a replica has replayed was made, by the clock of the primary; seconds since 1970.
/// </param>
/// <param name="Clock">The server's; seconds since 1970.</param>
internal sealed record PositionFacts(long? Position, int? Timeline, string? Pause, double? LastCommitAt, double Clock);
