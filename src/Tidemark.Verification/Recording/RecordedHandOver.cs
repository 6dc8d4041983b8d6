namespace Tidemark.Verification;

/// <summary>What a client hands over so that another one can continue its session.</summary>
/// <param name="From">The client that handed over its session.</param>
/// <param name="GivenAt">Time of the hand-over. What the client had received by then binds the client that takes it.</param>
/// <param name="Token">
/// The session's token as text, or <see langword="null"/> if none was transferred, as with a router that does not support tokens.
/// </param>
public sealed record RecordedHandOver(RecordedClient From, long GivenAt, string? Token);
