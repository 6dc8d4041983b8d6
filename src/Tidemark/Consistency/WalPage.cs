using NpgsqlTypes;

namespace Tidemark;

/// <summary>What the layout of the WAL means for positions.</summary>
internal static class WalPage
{
    private const ulong PageSize = 8192;
    private const ulong PageHeader = 24;

    /// <summary>
    /// An insert position that stands right behind a page header, moved before it. No record ends inside the header, and a replica does not get
    /// there until something else is written. The longer header of a segment's first page (40) is left: in mid-segment commits do end there.
    /// </summary>
    public static NpgsqlLogSequenceNumber BeforeHeader(NpgsqlLogSequenceNumber insert)
    {
        var position = (ulong)insert;
        return position % PageSize == PageHeader ? new NpgsqlLogSequenceNumber(position - PageHeader) : insert;
    }
}
