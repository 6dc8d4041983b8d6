using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;

namespace Tidemark;

/// <summary>
/// The cookies that carry a browser's session from one request to the next, and the rules by which responses replace them. Pure: uses no
/// HTTP and no clock.
/// </summary>
/// <remarks>
/// <para>
/// A browser sends requests in parallel, and the responses arrive in any order. A response cannot depend on what the others set. Therefore
/// each response that sets a token uses a name that no other response uses, and the content of a name never changes. A response deletes
/// only names that its own request carried, and its token includes their content. In any order of arrival, the token of a response remains
/// until a token that includes it has been set. Nothing is overwritten.
/// </para>
/// <para>
/// Sequential requests need one cookie: each response that sets a cookie deletes the previous one. Parallel responses leave one cookie
/// each. The next response that sets a token deletes them all. A response that sets nothing deletes those that another cookie covers. A
/// fixed number of slots cannot work: with one more parallel response than slots, two responses would share a slot without coordination.
/// </para>
/// <para>
/// <see cref="MostPerJar"/> limits the number of cookies if many responses to the same cookies set one. Beyond the limit a response sets
/// <see cref="Overflow"/>, whose content is constant and covers everything, so it can be shared. It is never deleted, because another
/// response may have set it in the meantime. It expires with its lifetime; until then each request queries the primary.
/// </para>
/// </remarks>
internal sealed class CookieSlots
{
    /// <summary>The prefix of all slot names.</summary>
    public const string Prefix = ".Tidemark.";

    /// <summary>
    /// The name of the slot that records only that something was written. A dot and a timeline may follow: the write is on that timeline or
    /// a later one.
    /// </summary>
    public const string Overflow = Prefix + "all";

    /// <summary>Maximum number of slots that are read from one request. Further slots count as unknown.</summary>
    public const int MostRead = 32;

    /// <summary>
    /// Maximum number of responses to requests with the same cookies, in one process and one period, that set their own slot.
    /// </summary>
    public const int MostPerJar = 8;

    private const int NameBytes = 6;

    private readonly IReadOnlyList<CookieSlot> _brought;

    /// <param name="brought">The slots of the request. Cookies that are not slots must be left out.</param>
    public CookieSlots(IReadOnlyList<CookieSlot> brought) => _brought = brought;

    /// <summary>The tokens that the session continues.</summary>
    public IEnumerable<CausalToken> Tokens => _brought.Where(slot => slot.Token is not null).Select(slot => slot.Token!);

    /// <summary>
    /// <see langword="true"/> if some position of the browser's requests is unknown: a slot is damaged, or there were too many parallel
    /// responses.
    /// </summary>
    public bool IsUnknown => _brought.Any(slot => slot.Token is null);

    /// <summary>The earliest timeline of an unknown position according to the overflow slots, or zero if they do not contain one.</summary>
    public uint UnknownSince => _brought.Select(slot => TimelineOf(slot.Name)).Where(timeline => timeline != 0).DefaultIfEmpty().Min();

    /// <summary>
    /// Returns the name of the overflow slot for writes on a timeline or a later one. A timeline of zero means that it is not known.
    /// </summary>
    public static string OverflowSince(uint timeline) =>
        timeline == 0 ? Overflow : string.Create(CultureInfo.InvariantCulture, $"{Overflow}.{timeline}");

    /// <summary>Returns whether a slot name is that of an overflow slot.</summary>
    public static bool IsOverflow(string name) => name == Overflow || name.StartsWith(Overflow + ".", StringComparison.Ordinal);

    /// <summary>Returns whether a cookie name is that of a slot.</summary>
    public static bool IsSlot(string name) => name.Length > Prefix.Length && name.StartsWith(Prefix, StringComparison.Ordinal);

    /// <summary>Returns a name that no other response uses.</summary>
    public static string NewName()
    {
        // 48 bits are enough, because one browser has only a few slots at the same time.
        Span<byte> random = stackalloc byte[NameBytes];
        RandomNumberGenerator.Fill(random);
        return Prefix + Base64Url.EncodeToString(random);
    }

    /// <summary>
    /// Returns the change by a response whose session wrote something, or resolved what a slot left unknown. Its token must be captured
    /// from a session that continues every slot of the request.
    /// </summary>
    /// <param name="name">A new name; see <see cref="NewName"/>.</param>
    /// <param name="hasWritten"><see langword="true"/> if the token contains more than the slots of the request.</param>
    /// <param name="isCrowded">
    /// <see langword="true"/> if too many responses to requests with the same cookies have already set a slot.
    /// </param>
    /// <param name="since">The earliest timeline in the token, or zero if it contains none.</param>
    /// <param name="latest">
    /// The latest timeline of the cluster, or zero if not known. The token already reflects what became of the earlier timelines.
    /// </param>
    public CookieChange Replace(string name, bool hasWritten, bool isCrowded, uint since = 0, uint latest = 0)
    {
        // If the response only resolved unknown positions, the next request can resolve them again, so no slot is needed.
        if (isCrowded) return hasWritten ? new CookieChange(null, [], OverflowSince(since)) : CookieChange.None;

        // No write can end on a timeline that is over, so its overflow slot can be deleted. The session has already reported the loss.
        return new CookieChange(name,
            [.. _brought.Select(slot => slot.Name).Where(n => IsOwned(n) || (TimelineOf(n) is var t && t != 0 && t < latest))]);
    }

    /// <summary>
    /// Returns the change by a response that sets no slot: it deletes slots that another slot covers. All responses to the same cookies
    /// decide alike, so no response deletes the slot because of which another one deletes its own.
    /// </summary>
    public CookieChange Prune()
    {
        List<string>? covered = null;
        foreach (var slot in _brought)
            if (IsOwned(slot.Name) && _brought.Any(other => CoversFor(other, slot))) (covered ??= []).Add(slot.Name);
        return covered is null ? CookieChange.None : new CookieChange(null, covered);
    }

    // If two slots have the same content, the one with the greater name is kept.
    private static bool CoversFor(CookieSlot slot, CookieSlot other) =>
        slot.Name != other.Name && slot.Token is { } token && other.Token is { } covered && token.Covers(covered)
        && (!covered.Covers(token) || string.CompareOrdinal(slot.Name, other.Name) > 0);

    private static bool IsOwned(string name) => !IsOverflow(name);

    private static uint TimelineOf(string name) =>
        IsOverflow(name) && name.Length > Overflow.Length
        && uint.TryParse(name.AsSpan(Overflow.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var timeline)
            ? timeline : 0;
}
