namespace Tidemark.Cli.Doctor;

/// <summary>A query that returns one JSON value.</summary>
/// <param name="Section">The section that the result fills.</param>
/// <param name="Sql">The statement.</param>
/// <param name="NeedsStatistics">Whether a role without <c>pg_read_all_stats</c> gets rows whose columns are null.</param>
internal sealed record Question(Section Section, string Sql, bool NeedsStatistics = false);
