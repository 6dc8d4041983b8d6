namespace Tidemark;

/// <summary>One of the cookies in which a browser carries its session.</summary>
/// <param name="Name">The cookie's name; see <see cref="CookieSlots"/>.</param>
/// <param name="Token">The token in it; <see langword="null"/>: it is damaged, so what it said is unknown.</param>
internal readonly record struct CookieSlot(string Name, CausalToken? Token);
