namespace Tidemark;

/// <summary>One of the cookies that carry a browser's session.</summary>
/// <param name="Name">The name of the cookie; see <see cref="CookieSlots"/>.</param>
/// <param name="Token">The token in the cookie, or <see langword="null"/> if it is damaged and its content is therefore unknown.</param>
internal readonly record struct CookieSlot(string Name, CausalToken? Token);
