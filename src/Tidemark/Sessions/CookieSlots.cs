using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;

namespace Tidemark;

/// <summary>
/// The cookies in which a browser carries its session from one request to the next, and the rules by which responses replace them. Pure: no
/// HTTP, no time.
/// </summary>
/// <remarks>
/// <para>
/// A browser sends requests in parallel, and their responses arrive in any order: none of them knows what the others set. So every response
/// that sets a token
/// uses a name that no other response uses, and the content of a name never changes. A response deletes only names that its own request
/// brought, and its token
/// includes what they said. Whatever the order of arrival, what a response set stays until something that includes it was set: nothing is
/// overwritten.
/// </para>
/// <para>
/// One request after another has one cookie: each response that sets one deletes the one before. Parallel responses leave one each; the
/// next response that sets
/// a token deletes them all, and one that sets nothing deletes those that another one covers. No fixed number of slots could do this, since
/// with one more
/// parallel response than slots two must share a slot without knowing of one another. <see cref="MostPerJar"/> limits the number where many
/// responses to the same
/// cookies set one: beyond it a response sets <see cref="Overflow"/>, whose content is constant and covers everything, so that it can be
/// shared. It is never
/// deleted, for another response may have set it since; it ends with its lifetime, and until then each request asks the primary.
/// </para>
/// </remarks>
internal sealed class CookieSlots
{
    /// <summary>What the names of all slots begin with.</summary>
    public const string Prefix = ".Tidemark.";

    /// <summary>The slot that says only that something was written; with a dot and a timeline, on which one or later.</summary>
    public const string Overflow = Prefix + "all";

    /// <summary>Maximum number of slots of one request that are read; more count as unknown.</summary>
    public const int MostRead = 32;

    /// <summary>
    /// Maximum number of responses to requests with the same cookies, in one process and one period, that set a slot of their own.
    /// </summary>
    public const int MostPerJar = 8;

    private const int NameBytes = 6;

    private readonly IReadOnlyList<CookieSlot> _brought;

    /// <param name="brought">What the request brought; names that are no slot's must be left out.</param>
    public CookieSlots(IReadOnlyList<CookieSlot> brought) => _brought = brought;

    /// <summary>The tokens that the session goes on after.</summary>
    public IEnumerable<CausalToken> Tokens => _brought.Where(slot => slot.Token is not null).Select(slot => slot.Token!);

    /// <summary>
    /// Something of what the browser's requests wrote is not known: a slot is damaged, or there were too many parallel responses.
    /// </summary>
    public bool IsUnknown => _brought.Any(slot => slot.Token is null);

    /// <summary>The earliest timeline on which something unknown may have ended, by the overflow slots; zero: they do not say.</summary>
    public uint UnknownSince => _brought.Select(slot => TimelineOf(slot.Name)).Where(timeline => timeline != 0).DefaultIfEmpty().Min();

    /// <summary>Returns the name of the overflow slot for what ended on a timeline or later; zero: the timeline is not known.</summary>
    public static string OverflowSince(uint timeline) =>
        timeline == 0 ? Overflow : string.Create(CultureInfo.InvariantCulture, $"{Overflow}.{timeline}");

    /// <summary>Returns whether a slot is an overflow slot, by its name.</summary>
    public static bool IsOverflow(string name) => name == Overflow || name.StartsWith(Overflow + ".", StringComparison.Ordinal);

    /// <summary>Returns whether a cookie is a slot, by its name.</summary>
    public static bool IsSlot(string name) => name.Length > Prefix.Length && name.StartsWith(Prefix, StringComparison.Ordinal);

    /// <summary>A name that no other response uses.</summary>
    public static string NewName()
    {
        // 48 bits: the slots of one browser that are alive at the same time are a handful.
        Span<byte> random = stackalloc byte[NameBytes];
        RandomNumberGenerator.Fill(random);
        return Prefix + Base64Url.EncodeToString(random);
    }

    /// <summary>
    /// The change by a response whose session wrote, or learned what a slot did not say. Its token must be captured from a session that was
    /// continued with every
    /// slot of its own request.
    /// </summary>
    /// <param name="name">A new name; see <see cref="NewName"/>.</param>
    /// <param name="hasWritten">The token says more than what the request brought.</param>
    /// <param name="isCrowded">Too many responses to requests with the same cookies have set a slot already.</param>
    /// <param name="since">The earliest timeline in the token; zero: none.</param>
    /// <param name="latest">
    /// The latest timeline of the cluster, of which the token tells what became of the earlier ones; zero: not known.
    /// </param>
    public CookieChange Replace(string name, bool hasWritten, bool isCrowded, uint since = 0, uint latest = 0)
    {
        // What was only learned is learned again by the next request, so it needs no slot.
        if (isCrowded) return hasWritten ? new CookieChange(null, [], OverflowSince(since)) : CookieChange.None;

        // Nothing ends on a timeline that is over, so that the slot of what ended there can go: the session was told of the loss.
        return new CookieChange(name,
            [.. _brought.Select(slot => slot.Name).Where(n => IsOwned(n) || (TimelineOf(n) is var t && t != 0 && t < latest))]);
    }

    /// <summary>
    /// The change by a response that sets nothing: it deletes slots that another one covers. All responses to the same cookies judge alike,
    /// so that no two of them
    /// delete each other's reason.
    /// </summary>
    public CookieChange Prune()
    {
        List<string>? covered = null;
        foreach (var slot in _brought)
            if (IsOwned(slot.Name) && _brought.Any(other => CoversFor(other, slot))) (covered ??= []).Add(slot.Name);
        return covered is null ? CookieChange.None : new CookieChange(null, covered);
    }

    // Of two that say the same, the one with the greater name stays.
    private static bool CoversFor(CookieSlot slot, CookieSlot other) =>
        slot.Name != other.Name && slot.Token is { } token && other.Token is { } covered && token.Covers(covered)
        && (!covered.Covers(token) || string.CompareOrdinal(slot.Name, other.Name) > 0);

    private static bool IsOwned(string name) => !IsOverflow(name);

    private static uint TimelineOf(string name) =>
        IsOverflow(name) && name.Length > Overflow.Length
        && uint.TryParse(name.AsSpan(Overflow.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var timeline)
            ? timeline : 0;
}
