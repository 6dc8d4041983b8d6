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
/// Carries a session from one process to another: the cluster, the WAL positions of the session's writes and reads, and the time at which
/// they expire. The text form has at most 160 characters and is safe in URLs, headers and messages.
/// </summary>
/// <remarks>
/// A token contains no secret, but its content decides which nodes serve reads. Sign tokens that leave the application
/// (<see cref="TidemarkOptions.TokenKey"/>).
/// </remarks>
public sealed class CausalToken : IEquatable<CausalToken>, IParsable<CausalToken>
{
    /// <summary>Maximum length of a token's text, in characters.</summary>
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
        Observed = flags.HasFlag(Flags.Observed) ? ReadPosition(content, flags.HasFlag(Flags.Written) ? 1 : 0) : null;
        if (!flags.HasFlag(Flags.Since)) return;
        var since = ReadPosition(content, Positions(flags) - 1);
        Unknown = UnknownPosition.Of(since);
    }

    /// <param name="cluster">The system identifier of the cluster.</param>
    /// <param name="written">The WAL position of the session's writes.</param>
    /// <param name="seen">The WAL position of the session's reads.</param>
    /// <param name="unknown">What is known about pending positions, or <see langword="null"/> if nothing is pending.</param>
    /// <param name="expiresAt">The time at which the positions expire.</param>
    /// <param name="chain">The timeline history, for the LSNs at which timelines began.</param>
    /// <param name="key">The signing key, or <see langword="null"/> for an unsigned token.</param>
    /// <param name="isInDoubt"><see langword="true"/> if a connection broke during a commit.</param>
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
        Observed = 2,

        /// <summary>The session wrote something, and its position is unknown. The primary must be queried.</summary>
        Unknown = 4,

        /// <summary>A connection broke during a commit, which the server may still complete.</summary>
        InDoubt = 8,

        /// <summary>
        /// The token contains the earliest timeline of the unknown position, and the server processes that may still commit.
        /// </summary>
        Since = 16,
    }

    /// <summary>The system identifier of the token's cluster.</summary>
    public ulong Cluster { get; }

    /// <summary>
    /// The WAL position of the session's writes, or <see langword="null"/> if it wrote nothing or the position is unknown
    /// (<see cref="IsUnknown"/>).
    /// </summary>
    public WalPosition? Written { get; }

    /// <summary>
    /// The WAL position that bounds what the session's reads returned, or <see langword="null"/> if they returned nothing.
    /// </summary>
    public WalPosition? Observed { get; }

    /// <summary>
    /// <see langword="true"/> if the session wrote something and its position was not determined. A process that continues the session
    /// queries the primary once.
    /// </summary>
    public bool IsUnknown { get; }

    /// <summary>
    /// <see langword="true"/> if a connection broke during a commit, which the server may still complete. Reads stay on the primary until
    /// the server processes that may commit have exited, or until the timeline has ended.
    /// </summary>
    public bool IsInDoubt { get; }

    /// <summary>The earliest timeline in the token, or zero if it contains none.</summary>
    internal uint EarliestTimeline
    {
        get
        {
            uint[] timelines = [Written?.Timeline ?? 0, Observed?.Timeline ?? 0, Unknown.Timeline];
            return timelines.Where(timeline => timeline != 0).DefaultIfEmpty().Min();
        }
    }

    /// <summary>What is known about the position if <see cref="IsUnknown"/> is set.</summary>
    internal UnknownPosition Unknown { get; }

    /// <summary>The time after which the positions in the token count as unknown.</summary>
    public DateTimeOffset ExpiresAt { get; }

    /// <summary>
    /// <see langword="true"/> if the token carries a signature. The signature is verified when a session begins with the token.
    /// </summary>
    public bool IsSigned => _signature.Length > 0;

    /// <summary>Parses the text of a token.</summary>
    /// <exception cref="FormatException">
    /// The text is not a valid token: too long, truncated, corrupted, or of another format version.
    /// </exception>
    public static CausalToken Parse(string s, IFormatProvider? provider = null)
    {
        ArgumentNullException.ThrowIfNull(s);
        return TryParse(s, provider, out var token, out var problem)
            ? token : throw new FormatException($"The text is not a valid causal token: {problem}.");
    }

    /// <summary>Parses the text of a token. Returns <see langword="false"/> if it is not a valid token; never throws.</summary>
    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, [MaybeNullWhen(false)] out CausalToken result) =>
        TryParse(s, provider, out result, out _);

    /// <summary>Returns the text of the token, which is URL-safe.</summary>
    public override string ToString() => Base64Url.EncodeToString([.. _content, .. _signature]);

    /// <summary>Returns the token in binary form.</summary>
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
    /// Returns whether a session that continues this token includes everything that the other token requires. The result depends only on
    /// the two tokens, so every process returns the same. Returns <see langword="false"/> if they cannot be compared without the cluster's
    /// history.
    /// </summary>
    internal bool Covers(CausalToken other)
    {
        // An unknown or in-doubt token carries more than a position. The expiry does not matter: the position is the same afterwards.
        if (Equals(other)) return true;
        if (IsUnknown || IsInDoubt || other.IsUnknown || other.IsInDoubt || Cluster != other.Cluster) return false;
        return IncludesPositionOf(other, written: true) && IncludesPositionOf(other, written: false);
    }

    private bool IncludesPositionOf(CausalToken other, bool written)
    {
        if ((written ? other.Written : other.Observed) is not { } theirs) return true;
        return (written ? Written : Observed) is { } mine && mine.Timeline == theirs.Timeline && BeginOf(written) == other.BeginOf(written)
            && mine.Lsn >= theirs.Lsn;
    }

    /// <summary>
    /// Returns whether the token was signed with the key. An unsigned token has an empty signature, which no key produces.
    /// </summary>
    internal bool IsSignedBy(byte[] key) => CryptographicOperations.FixedTimeEquals(_signature, Sign(_content, key));

    /// <summary>Derives the signing key from the text in the options.</summary>
    internal static byte[]? KeyOf(string? text) => string.IsNullOrEmpty(text) ? null : SHA256.HashData(Encoding.UTF8.GetBytes(text));

    internal static bool TryRead(ReadOnlySpan<byte> bytes, [MaybeNullWhen(false)] out CausalToken token, out string problem)
    {
        token = null;
        problem = "it is truncated";
        if (bytes.Length < HeadSize) return false;
        problem = $"it has format version {bytes[0]}, and only version {Version} is supported";
        if (bytes[0] != Version) return false;
        var flags = (Flags)bytes[1];
        problem = "it is corrupted";
        if ((flags & ~(Flags.Written | Flags.Observed | Flags.Unknown | Flags.InDoubt | Flags.Since)) != 0) return false;
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
        problem = $"it is {s.Length} characters long (maximum {MaxLength})";
        if (s.Length > MaxLength) return false;
        problem = "it is not URL-safe Base64";
        Span<byte> bytes = stackalloc byte[MaxLength];

        // TryDecodeFromChars cannot be used: it throws if the text is not Base64.
        return Base64Url.DecodeFromChars(s, bytes, out _, out var written) == OperationStatus.Done
            && TryRead(bytes[..written], out result, out problem);
    }

    private static int Positions(Flags flags) => BitOperations.PopCount((uint)(flags & (Flags.Written | Flags.Observed | Flags.Since)));

    private static byte[] Write(ulong cluster, WalPosition? written, WalPosition? seen, UnknownPosition? unknown, bool isInDoubt,
        DateTimeOffset expiresAt, TimelineChain chain)
    {
        var flags = (written is null ? 0 : Flags.Written) | (seen is null ? 0 : Flags.Observed) | (isInDoubt ? Flags.InDoubt : 0)
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

    // Timeline, its first LSN, LSN. The first LSN distinguishes timelines that have the same number because of two promotions.
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

    /// <summary>
    /// Returns the LSN at which the timeline of a position began, or <see langword="null"/> if the process that created the token did not
    /// have it.
    /// </summary>
    internal NpgsqlLogSequenceNumber? BeginOf(bool written)
    {
        var index = written || !((Flags)_content[1]).HasFlag(Flags.Written) ? 0 : 1;
        var begin = BinaryPrimitives.ReadUInt64BigEndian(_content.AsSpan(HeadSize + (index * PositionSize) + 4));
        return begin == 0 ? null : new NpgsqlLogSequenceNumber(begin);
    }

    private static byte[] Sign(byte[] content, byte[] key) => HMACSHA256.HashData(key, content)[..SignatureSize];
}
