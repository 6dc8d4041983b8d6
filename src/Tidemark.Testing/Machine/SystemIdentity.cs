using System.Buffers.Binary;
using System.Numerics;
using System.Security.Cryptography;

namespace Tidemark.Testing;

/// <summary>
/// Gives a copy of a template a system identifier of its own, as <c>initdb</c> does. Otherwise code that distinguishes clusters by this
/// identifier would treat all clusters from one template as the same cluster. Only for a server that was stopped cleanly.
/// </summary>
internal static class SystemIdentity
{
    // pg_control begins with the identifier. The offset of its checksum depends on the version. The checksum covers all bytes before it.
    private const int IdentifierBytes = sizeof(ulong);
    private const int LargestControlBytes = 512;

    // In the long header at the beginning of every WAL segment: magic, flags, timeline, address, remaining length, padding.
    private const int OffsetInSegment = 24;
    private const int SegmentNameLength = 24;

    public static void Renew(string dataDirectory)
    {
        var identifier = new byte[IdentifierBytes];
        RandomNumberGenerator.Fill(identifier);
        // SQL returns a bigint, so the top bit must be 0. The bytes are little-endian, as on all supported machines.
        identifier[^1] &= 0x7F;

        var path = Path.Combine(dataDirectory, "global", "pg_control");
        RefuseLink(path);
        var control = File.ReadAllBytes(path);
        SetControl(control, identifier);
        File.WriteAllBytes(path, control);

        foreach (var segment in Directory.EnumerateFiles(Path.Combine(dataDirectory, "pg_wal")))
        {
            if (Path.GetFileName(segment).Length != SegmentNameLength)
                continue;
            RefuseLink(segment);
            using var file = File.OpenHandle(segment, FileMode.Open, FileAccess.Write);
            RandomAccess.Write(file, identifier, OffsetInSegment);
        }
    }

    // The current user may have more rights than the owner of the template.
    private static void RefuseLink(string path)
    {
        if (new FileInfo(path).LinkTarget is { } target)
            throw new LocalClusterException($"{path} is a link to {target}. initdb creates no links, so the cached template is damaged. "
                + $"Delete the folder templates in the cache ({SearchEnvironment.CacheVariable}, or its default).");
    }

    /// <summary>Writes the identifier and the matching checksum.</summary>
    internal static void SetControl(Span<byte> control, ReadOnlySpan<byte> identifier)
    {
        var checksumOffset = FindChecksum(control);
        identifier.CopyTo(control);
        BinaryPrimitives.WriteUInt32LittleEndian(control[checksumOffset..], Checksum(control[..checksumOffset]));
    }

    private static int FindChecksum(ReadOnlySpan<byte> control)
    {
        for (var offset = IdentifierBytes; offset < LargestControlBytes; offset += sizeof(uint))
        {
            if (BinaryPrimitives.ReadUInt32LittleEndian(control[offset..]) == Checksum(control[..offset]))
                return offset;
        }

        throw new LocalClusterException("pg_control of the template has no valid checksum, so the cached template is damaged. "
            + $"Delete the folder templates in the cache ({SearchEnvironment.CacheVariable}, or its default).");
    }

    // CRC-32C, as in PostgreSQL's pg_crc32c.h.
    private static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var value in bytes)
            crc = BitOperations.Crc32C(crc, value);
        return ~crc;
    }
}
