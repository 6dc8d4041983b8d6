namespace Tidemark;

/// <summary>What a response changes in the browser's cookies.</summary>
/// <param name="Set">The name of the slot that gets the session's token; <see langword="null"/>: none is set.</param>
/// <param name="Deleted">Names of the slots whose content is included elsewhere.</param>
/// <param name="Overflow">
/// The name of the overflow slot that is set, which says that something was written and not how far it reaches; <see langword="null"/>:
/// none is.
/// </param>
internal readonly record struct CookieChange(string? Set, IReadOnlyList<string> Deleted, string? Overflow = null)
{
    public static CookieChange None { get; } = new(null, []);
}
