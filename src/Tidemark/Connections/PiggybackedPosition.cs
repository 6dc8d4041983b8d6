namespace Tidemark;

/// <summary>What the position query found after a statement or a COMMIT.</summary>
/// <param name="Position">The insert position: a bound of everything that was committed or visible on the primary then.</param>
/// <param name="Epoch">The server that answered; unknown in simulations.</param>
/// <param name="OpenTransaction">The transaction that was still open, so that what was written may be committed later; <see
/// langword="null"/>: none.</param>
internal readonly record struct PiggybackedPosition(WalPosition Position, ServerEpoch Epoch = default, string? OpenTransaction = null);
