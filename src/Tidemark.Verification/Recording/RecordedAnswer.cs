namespace Tidemark.Verification;

/// <summary>What a read was answered.</summary>
/// <param name="Server">
/// The node that answered, by its own word, in the statement of the read: see <see cref="HistoryRecorder.ServerSql"/>.
/// </param>
/// <param name="OnPrimary">Whether it was a primary, by its own word: <c>NOT pg_is_in_recovery()</c>.</param>
/// <param name="Rows">The rows it showed, 1 to <see cref="HistoryBuilder.MaxKeysPerRead"/>.</param>
public sealed record RecordedAnswer(string Server, bool OnPrimary, IReadOnlyList<Observation> Rows);
