namespace Tidemark.Verification;

/// <summary>An answer that a browser has received.</summary>
/// <param name="Given">What its session hands on.</param>
/// <param name="SentAt">When the browser sent the request.</param>
/// <param name="AddsNothing">It set no cookie: those of its request said as much.</param>
internal sealed record ReceivedAnswer(GivenToken Given, long SentAt, bool AddsNothing);
