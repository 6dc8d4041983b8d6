namespace Tidemark.Cli.Confirm;

/// <summary>The WAL receiver of a replica.</summary>
/// <param name="Node">The replica.</param>
/// <param name="Status">The status, such as <c>streaming</c>; <c>null</c> if the replica has no receiver.</param>
/// <param name="From">Host and port of its source.</param>
/// <param name="Slot">The slot it uses.</param>
/// <param name="Timeline">The timeline it receives.</param>
internal sealed record ReceiverRecord(string Node, string? Status, string? From, string? Slot, int? Timeline);
