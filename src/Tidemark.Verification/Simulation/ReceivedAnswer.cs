namespace Tidemark.Verification;

/// <summary>A response that a browser has received.</summary>
/// <param name="Given">What the session of the response passes on.</param>
/// <param name="SentAt">Time at which the browser sent the request.</param>
/// <param name="AddsNothing">Whether the response set no cookie because the cookies of its request already covered it.</param>
internal sealed record ReceivedAnswer(GivenToken Given, long SentAt, bool AddsNothing);
