using System.Collections.Immutable;
using NpgsqlTypes;

namespace Tidemark;

/// <summary>
/// The positions of the primary over time, by this process's own monotonic clock. A replica that has replayed up to the position sampled at
/// time s has everything that was committed before s. This bounds its staleness without reading the clock of a server. While the primary is
/// idle, no replica becomes stale.
/// </summary>
internal sealed class PrimaryHistory
{
    // An entry is dropped if its neighbors are closer together than a tenth of its age, so an hour takes about 100 entries.
    private const int Resolution = 10;
    private const int MaxEntries = 256;

    private readonly ImmutableArray<Entry> _entries;

    private PrimaryHistory(ImmutableArray<Entry> entries) => _entries = entries;

    public static PrimaryHistory Empty { get; } = new([]);

    public int Count => _entries.Length;

    /// <summary>The timeline of the latest sample, or 0 before the first one.</summary>
    public uint LatestTimeline => _entries.IsEmpty ? 0 : _entries[^1].Timeline;

    /// <param name="sentAt">
    /// Monotonic time just before the probe was sent. Everything committed before then is at or before the position.
    /// </param>
    /// <param name="timeline">The primary's timeline.</param>
    /// <param name="flushed">The flush position that the probe returned.</param>
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
    /// Returns the monotonic time of the latest sample that the position has reached, or <see langword="null"/> if it has reached none. A
    /// read at the position includes everything that was committed before that time.
    /// </summary>
    public long? ReachedAt(uint timeline, NpgsqlLogSequenceNumber lsn)
    {
        for (var i = _entries.Length - 1; i >= 0; i--)
            if (_entries[i].Timeline == timeline && _entries[i].Lsn <= lsn) return _entries[i].SentAt;
        return null;
    }

    private readonly record struct Entry(long SentAt, uint Timeline, NpgsqlLogSequenceNumber Lsn);
}
