using NpgsqlTypes;

namespace Tidemark;

/// <summary>The layout of the WAL of a server, which determines how positions are compared.</summary>
/// <param name="PageSize">Page size in bytes (<c>wal_block_size</c>).</param>
/// <param name="SegmentSize">Segment size in bytes (<c>wal_segment_size</c>), or 0 if unknown.</param>
internal readonly record struct WalPages(ulong PageSize, ulong SegmentSize)
{
    private const ulong Header = 24;
    private const ulong SegmentHeader = 40;

    /// <summary>The layout that is assumed if it has not been read: pages of 8 kB and an unknown segment size.</summary>
    public static WalPages Usual { get; } = new(8192, 0);

    /// <summary>
    /// Moves an insert position that directly follows a page header to the position before the header. No record ends inside a header, and
    /// a replica does not reach the end of the header until the next record is written. Commits in the middle of a segment do end 40 bytes
    /// into a page, so the long header is considered only at the start of a segment.
    /// </summary>
    public NpgsqlLogSequenceNumber BeforeHeader(NpgsqlLogSequenceNumber insert)
    {
        var position = (ulong)insert;
        var header = position % PageSize == Header ? Header
            : SegmentSize != 0 && position % SegmentSize == SegmentHeader ? SegmentHeader
            : 0;
        return new NpgsqlLogSequenceNumber(position - header);
    }
}
