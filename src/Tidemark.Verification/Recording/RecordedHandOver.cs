namespace Tidemark.Verification;

/// <summary>What a client gives another so that its session can go on there.</summary>
/// <param name="From">Who gave it.</param>
/// <param name="GivenAt">When. What the client had received by then binds whoever takes it.</param>
/// <param name="Token">The session's token as text; null where nothing was carried, as by a router that knows of none.</param>
public sealed record RecordedHandOver(RecordedClient From, long GivenAt, string? Token);
