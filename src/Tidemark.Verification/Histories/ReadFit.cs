namespace Tidemark.Verification;

/// <summary>
/// Where a read may have been: the states on one timeline that show its rows as it did. Of a replica a stretch of ranks, since its state is
/// a prefix of the WAL; of a primary only the rows themselves, since commits become visible there in an order of their own.
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

    /// <summary>Whether the node that answered was a replica.</summary>
    public bool IsPrefix { get; }

    /// <summary>The last committed version that it shows; <see cref="VersionTable.None"/> for none.</summary>
    public int Shown { get; }

    /// <summary>The last rank that its state can contain; unbounded on a primary.</summary>
    public long High { get; }

    /// <summary>The versions that follow those it shows, on the timeline.</summary>
    public ReadOnlySpan<int> Next => _next.AsSpan(0, _rowCount);

    /// <summary>Fits a read to a timeline.</summary>
    /// <param name="history">The history.</param>
    /// <param name="read">The read.</param>
    /// <param name="timeline">The timeline.</param>
    /// <param name="next">Room for one number for each row.</param>
    /// <param name="fit">Where it fits, or how far it came.</param>
    /// <returns>Whether there is a state on the timeline that shows these rows.</returns>
    public static bool TryFit(History history, in Operation read, int timeline, int[] next, out ReadFit fit)
    {
        var (tree, versions) = (history.Tree, history.Versions);
        var (shown, high, fits, low) = (VersionTable.None, long.MaxValue, true, tree.Begin(timeline));
        for (var i = 0; i < read.RowCount; i++)
        {
            ref readonly var row = ref history.Columns.Rows[read.FirstRow + i];
            (var index, next[i]) = versions.Locate(row, timeline);

            // A failed write that was shown has no place. It is told apart, and says nothing about the other rows.
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
            // What the timeline began with is in every state on it.
            var isInherited = follower.Timeline != timeline;
            fits &= !isInherited;
            high = long.Min(high, isInherited ? -1 : follower.Rank - 1);
        }

        fit = new ReadFit(history, read, timeline, shown, high, next);
        return fits && low <= fit.High;
    }

    /// <summary>How the read stands to a horizon that it has to contain.</summary>
    /// <param name="watermark">The horizon.</param>
    /// <param name="visible">What was visible on primaries.</param>
    /// <param name="start">When the read started.</param>
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
    /// How a read on a primary stands to itself: a commit before one that it shows, and certainly visible when it started, cannot be
    /// missing.
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

    /// <summary>How a state at a rank of a timeline stands to a horizon.</summary>
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

    /// <summary>The mark of a horizon that a state does not contain; the latest one where the state contains them all.</summary>
    public static (int Timeline, Mark Mark) Missed(Watermark watermark, int timeline, long rank)
    {
        for (var i = watermark.Count - 1; i >= 0 && watermark[i].Timeline >= timeline; i--)
        {
            if (watermark[i].Timeline > timeline || watermark[i].Mark.Rank > rank) return watermark[i];
        }

        return watermark.Count > 0 ? watermark[watermark.Count - 1] : default;
    }

    /// <summary>
    /// The latest timeline that a read fits, of which it is known that it fits the one on which what it shows last was committed.
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

            // A failed write that was shown says nothing about what followed it.
            if (shown == VersionTable.None && row.Version > 0) continue;
            foreach (var follower in history.Versions.All(row.Key, row.Version + 1))
                without.Add((history.Versions[follower].Timeline, history.Versions[follower].Rank));
        }

        return history.Tree.Latest(earliest, rank, without);
    }

    private static bool IsLater(in CommittedVersion one, in CommittedVersion other) =>
        one.Timeline != other.Timeline ? one.Timeline > other.Timeline : one.Rank > other.Rank;
}
