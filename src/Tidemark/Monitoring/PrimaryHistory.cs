using System.Collections.Immutable;
using NpgsqlTypes;

namespace Tidemark;

/// <summary>
/// Where the primary was and when, by this process's own monotonic clock. A replica that has replayed at least the position sampled at s
/// has
/// everything committed before s: that bounds its staleness without reading a server's clock, and an idle primary makes nothing stale.
/// </summary>
internal sealed class PrimaryHistory
{
    // An entry is dropped when its neighbours stand closer together than a tenth of its age, so that an hour takes about a hundred entries.
    private const int Resolution = 10;
    private const int MaxEntries = 256;

    private readonly ImmutableArray<Entry> _entries;

    private PrimaryHistory(ImmutableArray<Entry> entries) => _entries = entries;

    public static PrimaryHistory Empty { get; } = new([]);

    public int Count => _entries.Length;

    /// <summary>The timeline of the latest sample; zero before the first.</summary>
    public uint LatestTimeline => _entries.IsEmpty ? 0 : _entries[^1].Timeline;

    /// <param name="sentAt">
    /// Monotonic time just before the probe was sent: what was committed before it is at or before the position.
    /// </param>
    /// <param name="timeline">The primary's timeline.</param>
    /// <param name="flushed">The flush position the probe brought.</param>
    public PrimaryHistory Add(long sentAt, uint timeline, NpgsqlLogSequenceNumber flushed)
    {
        var kept = ImmutableArray.CreateBuilder<Entry>(_entries.Length + 1);
        for (var i = 0; i < _entries.Length; i++)
        {
            var next = i + 1 < _entries.Length ? _entries[i + 1].SentAt : sentAt;
            var isDense = kept.Count > 0 && (next - kept[^1].SentAt) * Resolution < sentAt - _entries[i].SentAt;
            if (!isDense) kept.Add(_entries[i]);
        }

        kept.Add(new Entry(sentAt, timeline, flushed));
        if (kept.Count > MaxEntries) kept.RemoveAt(0);
        return new PrimaryHistory(kept.DrainToImmutable());
    }

    /// <summary>
    /// The monotonic time of the latest sample that the position has reached: a reader there misses nothing that was committed before it.
    /// Null: it has reached none of them.
    /// </summary>
    public long? ReachedAt(uint timeline, NpgsqlLogSequenceNumber lsn)
    {
        for (var i = _entries.Length - 1; i >= 0; i--)
            if (_entries[i].Timeline == timeline && _entries[i].Lsn <= lsn) return _entries[i].SentAt;
        return null;
    }

    private readonly record struct Entry(long SentAt, uint Timeline, NpgsqlLogSequenceNumber Lsn);
}
