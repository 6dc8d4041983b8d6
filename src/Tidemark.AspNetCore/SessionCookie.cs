using System.Security.Cryptography;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;

namespace Tidemark;

/// <summary>
/// Reads and writes the cookies that carry a session's tokens (<see cref="CookieSlots"/>), protected against forgery and reading.
/// </summary>
internal sealed class SessionCookie(IDataProtectionProvider protection, TimeProvider time)
{
    // The cookie outlives the token in it. An expired token still shows that something was written, and the primary is asked for the
    // position.
    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(1);

    // A protected token has about 200 characters. Anything much longer is not worth decrypting.
    private const int MaxLength = 1024;

    // The text needs no protection: any client may request reads from the primary.
    private const string OverflowText = "1";

    private readonly IDataProtector _protector = protection.CreateProtector("Tidemark.Session.v1");

    /// <summary>
    /// Returns the slots that a request carries. A damaged slot has no token. It counts as unknown, never as fresh, and never as an error.
    /// </summary>
    /// <param name="request">The request.</param>
    /// <param name="problem">Why a slot was rejected; <see langword="null"/> if all were accepted.</param>
    public CookieSlots Read(HttpRequest request, out string? problem)
    {
        problem = null;
        List<CookieSlot>? slots = null;
        foreach (var (name, text) in request.Cookies)
        {
            if (!CookieSlots.IsSlot(name)) continue;
            CausalToken? token = null;
            if (!CookieSlots.IsOverflow(name))
            {
                token = slots?.Count >= CookieSlots.MostRead
                    ? Rejected($"the request has more than {CookieSlots.MostRead} session cookies", ref problem)
                    : Read(text, ref problem);
            }

            (slots ??= []).Add(new CookieSlot(name, token));
        }

        return new CookieSlots(slots ?? (IReadOnlyList<CookieSlot>)[]);
    }

    /// <summary>Adds the changes to the headers of a response.</summary>
    /// <exception cref="CryptographicException">The token cannot be protected. The response is unchanged.</exception>
    public void Write(HttpContext context, CookieChange change, CausalToken? token)
    {
        var text = change.Set is null ? null : WebEncoders.Base64UrlEncode(_protector.Protect(token!.ToBytes()));
        if (text is not null) context.Response.Cookies.Append(change.Set!, text, Options(context));
        if (change.Overflow is { } overflow) WriteOverflow(context, overflow);
        foreach (var name in change.Deleted) context.Response.Cookies.Delete(name, Options(context));
    }

    /// <summary>Records in a cookie that something was written, but not its WAL position. Requires no key.</summary>
    public void WriteOverflow(HttpContext context, string name) => context.Response.Cookies.Append(name, OverflowText, Options(context));

    private CookieOptions Options(HttpContext context) => new()
    {
        HttpOnly = true,
        IsEssential = true,
        SameSite = SameSiteMode.Lax,
        Secure = context.Request.IsHttps,
        Expires = time.GetUtcNow() + Lifetime,
    };

    private CausalToken? Read(string text, ref string? problem)
    {
        if (text.Length > MaxLength) return Rejected($"it is {text.Length} characters long (maximum {MaxLength})", ref problem);
        try
        {
            var bytes = _protector.Unprotect(WebEncoders.Base64UrlDecode(text));
            return CausalToken.TryRead(bytes, out var token, out var damage) ? token : Rejected(damage, ref problem);
        }
        catch (Exception e) when (e is CryptographicException or FormatException)
        {
            return Rejected("it was forged, or protected with keys that this process does not have (share the Data Protection key ring)",
                ref problem);
        }
    }

    private static CausalToken? Rejected(string why, ref string? problem)
    {
        problem ??= why;
        return null;
    }
}
