namespace Tidemark.Cli.Doctor;

/// <summary>One statement, whose answer is one value of JSON.</summary>
/// <param name="Section">What it fills.</param>
/// <param name="Sql">The statement.</param>
/// <param name="NeedsStatistics">Whether a role without <c>pg_read_all_stats</c> gets rows with nothing in them.</param>
internal sealed record Question(Section Section, string Sql, bool NeedsStatistics = false);
