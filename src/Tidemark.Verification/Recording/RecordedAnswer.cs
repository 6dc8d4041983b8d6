namespace Tidemark.Verification;

/// <summary>The result of a read.</summary>
/// <param name="Server">
/// The node that served the read, as it reported itself in the statement of the read. See <see cref="HistoryRecorder.ServerSql"/>.
/// </param>
/// <param name="OnPrimary">Whether the node reported to be a primary: <c>NOT pg_is_in_recovery()</c>.</param>
/// <param name="Rows">The rows that the read showed, 1 to <see cref="HistoryBuilder.MaxKeysPerRead"/>.</param>
public sealed record RecordedAnswer(string Server, bool OnPrimary, IReadOnlyList<Observation> Rows);
