using System.Security.Cryptography;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;

namespace Tidemark;

/// <summary>The cookie that carries a session's token from one request to the next, protected against forgery and reading.</summary>
internal sealed class SessionCookie(IDataProtectionProvider protection, TimeProvider time)
{
    public const string Name = ".Tidemark";

    // The cookie outlives the token in it: an expired token still says that something was written, and the primary is asked how far.
    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(1);

    // A protected token has some 250 characters; anything much longer is not worth decrypting.
    private const int MaxLength = 1024;

    private readonly IDataProtector _protector = protection.CreateProtector("Tidemark.Session.v1");

    /// <summary>What a request brought. A cookie that cannot be believed counts as present without a token: never as fresh, never as an error.</summary>
    public Received Read(HttpRequest request)
    {
        if (!request.Cookies.TryGetValue(Name, out var text) || string.IsNullOrEmpty(text)) return default;
        if (text.Length > MaxLength) return Unknown($"it is {text.Length} characters long");
        try
        {
            var bytes = _protector.Unprotect(WebEncoders.Base64UrlDecode(text));
            return CausalToken.TryRead(bytes, out var token, out var problem) ? new Received(IsPresent: true, token, Problem: null) : Unknown(problem);
        }
        catch (Exception e) when (e is CryptographicException or FormatException)
        {
            return Unknown("it was forged, or protected with keys this process does not have (share the Data Protection key ring)");
        }
    }

    public void Write(HttpContext context, CausalToken token) => context.Response.Cookies.Append(
        Name,
        WebEncoders.Base64UrlEncode(_protector.Protect(token.ToBytes())),
        new CookieOptions
        {
            HttpOnly = true,
            IsEssential = true,
            SameSite = SameSiteMode.Lax,
            Secure = context.Request.IsHttps,
            Expires = time.GetUtcNow() + Lifetime,
        });

    private static Received Unknown(string problem) => new(IsPresent: true, Token: null, problem);

    /// <summary>What was in the request's cookie.</summary>
    /// <param name="IsPresent">There was a cookie.</param>
    /// <param name="Token">The token; <see langword="null"/>: none that can be believed.</param>
    /// <param name="Problem">Why the cookie was not believed; <see langword="null"/> when it was, or when there was none.</param>
    internal readonly record struct Received(bool IsPresent, CausalToken? Token, string? Problem);
}
