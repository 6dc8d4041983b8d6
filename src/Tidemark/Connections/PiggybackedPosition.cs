namespace Tidemark;

/// <summary>The result of the position query after a statement or a COMMIT.</summary>
/// <param name="Position">
/// The insert position: an upper bound of everything that was committed or visible on the primary at that time.
/// </param>
/// <param name="Epoch">The epoch of the server that responded. Unknown in simulations.</param>
/// <param name="OpenTransaction">
/// The transaction that was still open, so that its writes may be committed later, or <see langword="null"/> if none was open.
/// </param>
internal readonly record struct PiggybackedPosition(WalPosition Position, ServerEpoch Epoch = default, string? OpenTransaction = null);
