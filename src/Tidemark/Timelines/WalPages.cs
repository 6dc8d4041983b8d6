using NpgsqlTypes;

namespace Tidemark;

/// <summary>What the layout of a server's WAL means for its positions.</summary>
/// <param name="PageSize">Bytes of a page (<c>wal_block_size</c>).</param>
/// <param name="SegmentSize">Bytes of a segment (<c>wal_segment_size</c>); 0: unknown.</param>
internal readonly record struct WalPages(ulong PageSize, ulong SegmentSize)
{
    private const ulong Header = 24;
    private const ulong SegmentHeader = 40;

    /// <summary>The layout where nothing was read: pages of 8 kB.</summary>
    public static WalPages Usual { get; } = new(8192, 0);

    /// <summary>
    /// An insert position that stands right behind a page header, moved before it: no record ends inside a header, and a replica does not
    /// get there
    /// until something else is written. In mid-segment commits do end 40 bytes into a page, so the long header counts at a segment's start
    /// only.
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
