using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using NpgsqlTypes;

namespace Tidemark;

/// <summary>
/// What one process hands to the next so that a session goes on there: the cluster, what was written and seen, and until when that is worth
/// anything.
/// Its text is at most 160 characters, safe in URLs, headers and messages.
/// </summary>
/// <remarks>
/// It holds no secret, but whoever can write one decides which node reads go to: one that leaves the application is signed
/// (<see cref="TidemarkOptions.TokenKey"/>).
/// </remarks>
public sealed class CausalToken : IEquatable<CausalToken>, IParsable<CausalToken>
{
    /// <summary>Characters at most in the text of a token.</summary>
    public const int MaxLength = 160;

    private const byte Version = 1;
    private const int HeadSize = 14;
    private const int PositionSize = 20;
    private const int SignatureSize = 16;

    private readonly byte[] _content;
    private readonly byte[] _signature;

    private CausalToken(byte[] content, byte[] signature)
    {
        _content = content;
        _signature = signature;
        var flags = (Flags)content[1];
        Cluster = BinaryPrimitives.ReadUInt64BigEndian(content.AsSpan(2));
        ExpiresAt = DateTimeOffset.FromUnixTimeSeconds(BinaryPrimitives.ReadUInt32BigEndian(content.AsSpan(10)));
        IsUnknown = flags.HasFlag(Flags.Unknown);
        IsInDoubt = flags.HasFlag(Flags.InDoubt);
        Written = flags.HasFlag(Flags.Written) ? ReadPosition(content, 0) : null;
        Seen = flags.HasFlag(Flags.Seen) ? ReadPosition(content, flags.HasFlag(Flags.Written) ? 1 : 0) : null;
        if (!flags.HasFlag(Flags.Since)) return;
        var since = ReadPosition(content, Positions(flags) - 1);
        Unknown = UnknownPosition.Of(since);
    }

    /// <param name="cluster">The system identifier.</param>
    /// <param name="written">The place of its writes.</param>
    /// <param name="seen">The place of its reads.</param>
    /// <param name="unknown">What is known of what is not; <see langword="null"/>: everything is known.</param>
    /// <param name="expiresAt">Until when the places count.</param>
    /// <param name="chain">Tells where timelines began.</param>
    /// <param name="key">Signs it; <see langword="null"/>: it is not signed.</param>
    /// <param name="isInDoubt">A connection broke during a commit.</param>
    internal CausalToken(
        ulong cluster, WalPosition? written, WalPosition? seen, UnknownPosition? unknown, DateTimeOffset expiresAt, TimelineChain chain,
            byte[]? key, bool isInDoubt = false)
        : this(Write(cluster, written, seen, unknown, isInDoubt, expiresAt, chain), [])
    {
        if (key is not null) _signature = Sign(_content, key);
    }

    [Flags]
    private enum Flags : byte
    {
        None = 0,
        Written = 1,
        Seen = 2,

        /// <summary>Something was written, and nobody knows how far it reaches: the primary must be asked.</summary>
        Unknown = 4,

        /// <summary>A connection broke during a commit, which may happen yet.</summary>
        InDoubt = 8,

        /// <summary>Since which timeline something is unknown, and which server process may still commit.</summary>
        Since = 16,
    }

    /// <summary>The system identifier of the cluster it is of.</summary>
    public ulong Cluster { get; }

    /// <summary>The place the session's writes reach; <see langword="null"/>: it wrote nothing, or <see cref="IsUnknown"/>.</summary>
    public WalPosition? Written { get; }

    /// <summary>The place up to which the session's reads may have shown history; <see langword="null"/>: they showed nothing.</summary>
    public WalPosition? Seen { get; }

    /// <summary>The session wrote something, and how far it reaches was not learned: the reader asks the primary once.</summary>
    public bool IsUnknown { get; }

    /// <summary>
    /// A connection broke during a commit, and the server may finish it yet: until the server processes that may are gone, or the timeline
    /// is over, reads keep to the
    /// primary.
    /// </summary>
    public bool IsInDoubt { get; }

    /// <summary>The earliest timeline of what it carries; zero: it carries none.</summary>
    internal uint EarliestTimeline
    {
        get
        {
            uint[] timelines = [Written?.Timeline ?? 0, Seen?.Timeline ?? 0, Unknown.Timeline];
            return timelines.Where(timeline => timeline != 0).DefaultIfEmpty().Min();
        }
    }

    /// <summary>What is known of what <see cref="IsUnknown"/>.</summary>
    internal UnknownPosition Unknown { get; }

    /// <summary>From then on its places count as unknown.</summary>
    public DateTimeOffset ExpiresAt { get; }

    /// <summary>It carries a signature; whether that is good is found when a session begins after it.</summary>
    public bool IsSigned => _signature.Length > 0;

    /// <summary>Reads the text of a token.</summary>
    /// <exception cref="FormatException">It is none: too long, cut short, spoilt, or of another format version.</exception>
    public static CausalToken Parse(string s, IFormatProvider? provider = null)
    {
        ArgumentNullException.ThrowIfNull(s);
        return TryParse(s, provider, out var token, out var problem)
            ? token : throw new FormatException($"This is no causal token: {problem}.");
    }

    /// <summary>Reads the text of a token, and says whether it is one. Never throws, whatever the text.</summary>
    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, [MaybeNullWhen(false)] out CausalToken result) =>
        TryParse(s, provider, out result, out _);

    /// <summary>The text of the token, URL-safe.</summary>
    public override string ToString() => Base64Url.EncodeToString([.. _content, .. _signature]);

    /// <summary>The token as bytes, for transports that carry them.</summary>
    internal byte[] ToBytes() => [.. _content, .. _signature];

    /// <inheritdoc/>
    public bool Equals(CausalToken? other) => other is not null && _content.AsSpan().SequenceEqual(other._content);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as CausalToken);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = default(HashCode);
        hash.AddBytes(_content);
        return hash.ToHashCode();
    }

    /// <summary>
    /// Returns whether a session that goes on after this token includes all that the other asks for. Compares what the tokens say and
    /// nothing that changes, so
    /// that every process gives the same answer; returns <see langword="false"/> where the two cannot be compared without the cluster's
    /// history.
    /// </summary>
    internal bool Covers(CausalToken other)
    {
        // What is unknown or in doubt carries more than a place. When a token ends does not matter: its place is the same afterwards.
        if (Equals(other)) return true;
        if (IsUnknown || IsInDoubt || other.IsUnknown || other.IsInDoubt || Cluster != other.Cluster) return false;
        return IncludesPositionOf(other, written: true) && IncludesPositionOf(other, written: false);
    }

    private bool IncludesPositionOf(CausalToken other, bool written)
    {
        if ((written ? other.Written : other.Seen) is not { } theirs) return true;
        return (written ? Written : Seen) is { } mine && mine.Timeline == theirs.Timeline && BeginOf(written) == other.BeginOf(written)
            && mine.Lsn >= theirs.Lsn;
    }

    /// <summary>Returns whether the signature is of the key. A token without a signature has an empty one, which no key gives.</summary>
    internal bool IsSignedBy(byte[] key) => CryptographicOperations.FixedTimeEquals(_signature, Sign(_content, key));

    /// <summary>The key that signs, from the text in the options.</summary>
    internal static byte[]? KeyOf(string? text) => string.IsNullOrEmpty(text) ? null : SHA256.HashData(Encoding.UTF8.GetBytes(text));

    internal static bool TryRead(ReadOnlySpan<byte> bytes, [MaybeNullWhen(false)] out CausalToken token, out string problem)
    {
        token = null;
        problem = "it is cut short";
        if (bytes.Length < HeadSize) return false;
        problem = $"it is of format version {bytes[0]}, and this is version {Version}";
        if (bytes[0] != Version) return false;
        var flags = (Flags)bytes[1];
        problem = "it is spoilt";
        if ((flags & ~(Flags.Written | Flags.Seen | Flags.Unknown | Flags.InDoubt | Flags.Since)) != 0) return false;
        var size = HeadSize + (Positions(flags) * PositionSize);
        if (bytes.Length != size && bytes.Length != size + SignatureSize) return false;
        token = new CausalToken(bytes[..size].ToArray(), bytes[size..].ToArray());
        problem = "";
        return true;
    }

    private static bool TryParse(string? s, IFormatProvider? provider, [MaybeNullWhen(false)] out CausalToken result, out string problem)
    {
        _ = provider;
        result = null;
        problem = "it is empty";
        if (string.IsNullOrEmpty(s)) return false;
        problem = $"it is {s.Length} characters long, and a token has at most {MaxLength}";
        if (s.Length > MaxLength) return false;
        problem = "it is not URL-safe Base64";
        Span<byte> bytes = stackalloc byte[MaxLength];

        // Not TryDecodeFromChars, which throws where the text is none.
        return Base64Url.DecodeFromChars(s, bytes, out _, out var written) == OperationStatus.Done
            && TryRead(bytes[..written], out result, out problem);
    }

    private static int Positions(Flags flags) => BitOperations.PopCount((uint)(flags & (Flags.Written | Flags.Seen | Flags.Since)));

    private static byte[] Write(ulong cluster, WalPosition? written, WalPosition? seen, UnknownPosition? unknown, bool isInDoubt,
        DateTimeOffset expiresAt, TimelineChain chain)
    {
        var flags = (written is null ? 0 : Flags.Written) | (seen is null ? 0 : Flags.Seen) | (isInDoubt ? Flags.InDoubt : 0)
            | (unknown is null ? 0 : Flags.Unknown) | (unknown is { Timeline: not 0 } ? Flags.Since : 0);
        var content = new byte[HeadSize + (PositionSize * Positions(flags))];
        content[0] = Version;
        content[1] = (byte)flags;
        BinaryPrimitives.WriteUInt64BigEndian(content.AsSpan(2), cluster);
        BinaryPrimitives.WriteUInt32BigEndian(content.AsSpan(10), (uint)Math.Clamp(expiresAt.ToUnixTimeSeconds(), 0, uint.MaxValue));
        var index = 0;
        if (written is { } w) WritePosition(content, index++, w, chain);
        if (seen is { } s) WritePosition(content, index++, s, chain);
        if (unknown is { Timeline: not 0 } u) WritePosition(content, index, u.ToPosition(), TimelineChain.Empty);
        return content;
    }

    // Timeline, where it began, position. Where it began tells two timelines apart that two promotions gave the same number.
    private static void WritePosition(byte[] content, int index, WalPosition position, TimelineChain chain)
    {
        var at = content.AsSpan(HeadSize + (index * PositionSize));
        BinaryPrimitives.WriteUInt32BigEndian(at, position.Timeline);
        BinaryPrimitives.WriteUInt64BigEndian(at[4..], (ulong)(chain.BeginOf(position.Timeline) ?? default));
        BinaryPrimitives.WriteUInt64BigEndian(at[12..], (ulong)position.Lsn);
    }

    private static WalPosition ReadPosition(byte[] content, int index)
    {
        var at = content.AsSpan(HeadSize + (index * PositionSize));
        return new WalPosition(BinaryPrimitives.ReadUInt32BigEndian(at),
            new NpgsqlLogSequenceNumber(BinaryPrimitives.ReadUInt64BigEndian(at[12..])));
    }

    /// <summary>Where the timeline of a place began, as the token's writer knew; <see langword="null"/>: it did not.</summary>
    internal NpgsqlLogSequenceNumber? BeginOf(bool written)
    {
        var index = written || !((Flags)_content[1]).HasFlag(Flags.Written) ? 0 : 1;
        var begin = BinaryPrimitives.ReadUInt64BigEndian(_content.AsSpan(HeadSize + (index * PositionSize) + 4));
        return begin == 0 ? null : new NpgsqlLogSequenceNumber(begin);
    }

    private static byte[] Sign(byte[] content, byte[] key) => HMACSHA256.HashData(key, content)[..SignatureSize];
}
