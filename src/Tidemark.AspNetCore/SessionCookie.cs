using System.Security.Cryptography;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;

namespace Tidemark;

/// <summary>The cookie that carries a session's written place from one request to the next, protected against forgery and reading.</summary>
internal sealed class SessionCookie(IDataProtectionProvider protection, TimeProvider time)
{
    public const string Name = ".Tidemark";

    // The cookie outlives the token in it: an expired token still says that something was written, and the primary is asked how far.
    private static readonly TimeSpan TokenLifetime = TimeSpan.FromHours(1);
    private static readonly TimeSpan CookieLifetime = TimeSpan.FromDays(1);

    // A protected token has some 190 characters; anything much longer is not worth decrypting.
    private const int MaxLength = 1024;

    private readonly IDataProtector _protector = protection.CreateProtector("Tidemark.Session.v1");

    /// <summary>What a request brought. A cookie that cannot be believed counts as present with an unknown place: never as fresh, never as an error.</summary>
    public Received Read(HttpRequest request, ulong cluster)
    {
        if (!request.Cookies.TryGetValue(Name, out var text) || string.IsNullOrEmpty(text)) return default;
        if (text.Length > MaxLength) return Unknown($"it is {text.Length} characters long");

        byte[] bytes;
        try
        {
            bytes = _protector.Unprotect(WebEncoders.Base64UrlDecode(text));
        }
        catch (Exception e) when (e is CryptographicException or FormatException)
        {
            return Unknown("it was forged, or protected with keys this process does not have (share the Data Protection key ring)");
        }

        if (CausalToken.TryRead(bytes) is not { } token) return Unknown("it holds no token of this version");
        if (cluster != 0 && token.Cluster != cluster) return Unknown($"it is of cluster {token.Cluster}, and this is {cluster}");
        return new Received(IsPresent: true, token.ExpiresAt < time.GetUtcNow() ? null : token.Written, Problem: null);
    }

    public void Write(HttpContext context, ulong cluster, Place? written)
    {
        var now = time.GetUtcNow();
        var token = new CausalToken(cluster, written, now + TokenLifetime);
        context.Response.Cookies.Append(Name, WebEncoders.Base64UrlEncode(_protector.Protect(token.ToBytes())), new CookieOptions
        {
            HttpOnly = true,
            IsEssential = true,
            SameSite = SameSiteMode.Lax,
            Secure = context.Request.IsHttps,
            Expires = now + CookieLifetime,
        });
    }

    private static Received Unknown(string problem) => new(IsPresent: true, Written: null, problem);

    /// <summary>What was in the request's cookie.</summary>
    /// <param name="IsPresent">There was a cookie.</param>
    /// <param name="Written">The place; <see langword="null"/>: unknown.</param>
    /// <param name="Problem">Why the cookie was not believed; <see langword="null"/> when it was, or when there was none.</param>
    internal readonly record struct Received(bool IsPresent, Place? Written, string? Problem);
}
