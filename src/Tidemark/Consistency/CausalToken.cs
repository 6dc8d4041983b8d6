using System.Buffers.Binary;
using NpgsqlTypes;

namespace Tidemark;

/// <summary>
/// What one process hands to the next so that a session goes on: the cluster, the place written to, and until when that is worth anything.
/// Binary, 33 bytes; it carries no secret, but whoever can write one can send reads to the primary, so outside the process it is signed.
/// </summary>
/// <param name="Cluster">The system identifier of the cluster.</param>
/// <param name="Written">The place the session's writes reach; <see langword="null"/>: somewhere unknown, and the primary must be asked.</param>
/// <param name="ExpiresAt">After this the place counts as unknown.</param>
internal sealed record CausalToken(ulong Cluster, Place? Written, DateTimeOffset ExpiresAt)
{
    public const int Size = 33;

    private const byte Version = 1;

    public byte[] ToBytes()
    {
        var bytes = new byte[Size];
        bytes[0] = Version;
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(1), Cluster);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(9), Written?.Timeline ?? 0);
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(13), (ulong)(Written?.Position ?? default));
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(21), ExpiresAt.ToUnixTimeSeconds());

        // A sum over the rest, so that a token cut short or spoilt on the way is not half believed.
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(29), Sum(bytes.AsSpan(0, 29)));
        return bytes;
    }

    /// <summary>Reads a token. Null: it is none, or of another version.</summary>
    public static CausalToken? TryRead(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Size || bytes[0] != Version || BinaryPrimitives.ReadUInt32BigEndian(bytes[29..]) != Sum(bytes[..29])) return null;
        var seconds = BinaryPrimitives.ReadInt64BigEndian(bytes[21..]);
        if (seconds < 0 || seconds > DateTimeOffset.MaxValue.ToUnixTimeSeconds()) return null;

        var timeline = BinaryPrimitives.ReadUInt32BigEndian(bytes[9..]);
        var position = new NpgsqlLogSequenceNumber(BinaryPrimitives.ReadUInt64BigEndian(bytes[13..]));
        return new CausalToken(
            BinaryPrimitives.ReadUInt64BigEndian(bytes[1..]),
            timeline == 0 ? null : new Place(timeline, position),
            DateTimeOffset.FromUnixTimeSeconds(seconds));
    }

    // FNV-1a.
    private static uint Sum(ReadOnlySpan<byte> bytes)
    {
        var sum = 2166136261u;
        foreach (var b in bytes) sum = unchecked((sum ^ b) * 16777619u);
        return sum;
    }
}
