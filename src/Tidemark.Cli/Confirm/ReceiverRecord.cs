namespace Tidemark.Cli.Confirm;

/// <summary>What a replica receives from.</summary>
/// <param name="Node">The replica.</param>
/// <param name="Status">Such as <c>streaming</c>; null: there is no receiver.</param>
/// <param name="From">Host and port that it receives from.</param>
/// <param name="Slot">The slot it uses.</param>
/// <param name="Timeline">The timeline it receives.</param>
internal sealed record ReceiverRecord(string Node, string? Status, string? From, string? Slot, int? Timeline);
