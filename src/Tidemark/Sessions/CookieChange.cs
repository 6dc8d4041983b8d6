namespace Tidemark;

/// <summary>The changes that a response makes to the browser's cookies.</summary>
/// <param name="Set">The name of the slot that receives the session's token, or <see langword="null"/> if none is set.</param>
/// <param name="Deleted">The names of the slots whose content is included in another slot.</param>
/// <param name="Overflow">
/// The name of the overflow slot that is set, or <see langword="null"/> if none is. It records that something was written, but not at which
/// position.
/// </param>
internal readonly record struct CookieChange(string? Set, IReadOnlyList<string> Deleted, string? Overflow = null)
{
    public static CookieChange None { get; } = new(null, []);
}
