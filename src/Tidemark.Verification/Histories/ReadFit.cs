namespace Tidemark.Verification;

/// <summary>
/// The states on one timeline that show the rows of a read as it did. On a replica this is a range of ranks, since its state is a prefix of
/// the WAL. On a primary only the rows themselves count, since commits become visible there in a different order.
/// </summary>
internal readonly struct ReadFit
{
    private readonly History _history;
    private readonly int[] _next;
    private readonly int _rowCount;

    private ReadFit(History history, in Operation read, int timeline, int shown, long high, int[] next)
    {
        (_history, _next, _rowCount, Timeline, Shown) = (history, next, read.RowCount, timeline, shown);
        IsPrefix = read.Kind == OperationKind.ReplicaRead;
        High = IsPrefix ? high : long.MaxValue;
    }

    public int Timeline { get; }

    /// <summary>Whether the node that served the read was a replica.</summary>
    public bool IsPrefix { get; }

    /// <summary>The last committed version that the read shows, or <see cref="VersionTable.None"/> if none exists.</summary>
    public int Shown { get; }

    /// <summary>The last rank that the state of the read can contain. It is unbounded on a primary.</summary>
    public long High { get; }

    /// <summary>The versions that follow the shown ones on the timeline.</summary>
    public ReadOnlySpan<int> Next => _next.AsSpan(0, _rowCount);

    /// <summary>Fits a read to a timeline.</summary>
    /// <param name="history">The history.</param>
    /// <param name="read">The read.</param>
    /// <param name="timeline">The timeline.</param>
    /// <param name="next">A buffer for one number per row.</param>
    /// <param name="fit">The states that fit, or how far the search came.</param>
    /// <returns>Whether a state on the timeline shows these rows.</returns>
    public static bool TryFit(History history, in Operation read, int timeline, int[] next, out ReadFit fit)
    {
        var (tree, versions) = (history.Tree, history.Versions);
        var (shown, high, fits, low) = (VersionTable.None, long.MaxValue, true, tree.Begin(timeline));
        for (var i = 0; i < read.RowCount; i++)
        {
            ref readonly var row = ref history.Columns.Rows[read.FirstRow + i];
            (var index, next[i]) = versions.Locate(row, timeline);

            // A failed write that was shown has no position. It is reported separately, and carries no information about the other rows.
            if (index == VersionTable.None && row.Version > 0) next[i] = VersionTable.None;
            if (index != VersionTable.None)
            {
                ref readonly var version = ref versions[index];
                fits &= version.Rank <= tree.Reach(version.Timeline, timeline);
                if (version.Timeline == timeline) low = long.Max(low, version.Rank);
                if (shown == VersionTable.None || IsLater(version, versions[shown])) shown = index;
            }

            if (next[i] == VersionTable.None) continue;
            ref readonly var follower = ref versions[next[i]];
            // Every state on a timeline contains what the timeline began with.
            var isInherited = follower.Timeline != timeline;
            fits &= !isInherited;
            high = long.Min(high, isInherited ? -1 : follower.Rank - 1);
        }

        fit = new ReadFit(history, read, timeline, shown, high, next);
        return fits && low <= fit.High;
    }

    /// <summary>Compares the read with a watermark that it has to contain.</summary>
    /// <param name="watermark">The watermark.</param>
    /// <param name="visible">What was visible on primaries.</param>
    /// <param name="start">Time at which the read started.</param>
    public Containment Against(Watermark watermark, VisibleCommits visible, long start)
    {
        var survival = Compare(_history.Tree, watermark, Timeline, High);
        if (IsPrefix || survival == Containment.Misses) return survival;
        foreach (var index in Next)
        {
            if (index == VersionTable.None
                || !watermark.Covers(_history.Tree, _history.Versions[index].Timeline, _history.Versions[index].Rank)) continue;
            if (visible.IsVisible(index, start)) return Containment.Misses;
            if (survival == Containment.Contains) survival = Containment.NotYetVisible;
        }

        return survival;
    }

    /// <summary>
    /// Compares a read on a primary with itself. A commit that precedes a shown one, and was certainly visible when the read started,
    /// cannot be missing.
    /// </summary>
    public Containment AgainstItself(VisibleCommits visible, long start)
    {
        if (IsPrefix || Shown == VersionTable.None) return Containment.Contains;
        var survival = Containment.Contains;
        foreach (var index in Next)
        {
            if (index == VersionTable.None || IsLater(_history.Versions[index], _history.Versions[Shown])) continue;
            if (visible.IsVisible(index, start)) return Containment.Misses;
            survival = Containment.NotYetVisible;
        }

        return survival;
    }

    /// <summary>Compares the state at a rank of a timeline with a watermark.</summary>
    public static Containment Compare(WalTree tree, Watermark watermark, int timeline, long rank)
    {
        var survival = Containment.Contains;
        for (var i = 0; i < watermark.Count; i++)
        {
            var (marked, mark) = watermark[i];
            if (mark.Rank <= (marked == timeline ? rank : tree.Reach(marked, timeline))) continue;
            if (marked >= timeline) return Containment.Misses;
            survival = Containment.WentOnWithout;
        }

        return survival;
    }

    /// <summary>
    /// Returns the mark of a watermark that a state does not contain, or the latest mark if the state contains all of them.
    /// </summary>
    public static (int Timeline, Mark Mark) Missed(Watermark watermark, int timeline, long rank)
    {
        for (var i = watermark.Count - 1; i >= 0 && watermark[i].Timeline >= timeline; i--)
        {
            if (watermark[i].Timeline > timeline || watermark[i].Mark.Rank > rank) return watermark[i];
        }

        return watermark.Count > 0 ? watermark[watermark.Count - 1] : default;
    }

    /// <summary>
    /// Returns the latest timeline that a read fits, given that it fits the timeline on which the last commit that it shows was made.
    /// </summary>
    public static int LatestTimeline(History history, in Operation read, int earliest)
    {
        var (rank, without) = (0L, new List<(int Timeline, long Rank)>());
        for (var i = 0; i < read.RowCount; i++)
        {
            ref readonly var row = ref history.Columns.Rows[read.FirstRow + i];
            var shown = history.Versions.Find(row.Key, row.Version, row.Value);
            if (shown != VersionTable.None && history.Versions[shown].Timeline == earliest)
                rank = long.Max(rank, history.Versions[shown].Rank);

            // A failed write that was shown carries no information about what followed it.
            if (shown == VersionTable.None && row.Version > 0) continue;
            foreach (var follower in history.Versions.All(row.Key, row.Version + 1))
                without.Add((history.Versions[follower].Timeline, history.Versions[follower].Rank));
        }

        return history.Tree.Latest(earliest, rank, without);
    }

    private static bool IsLater(in CommittedVersion one, in CommittedVersion other) =>
        one.Timeline != other.Timeline ? one.Timeline > other.Timeline : one.Rank > other.Rank;
}
