namespace Tidemark.Verification;

/// <summary>Assembles the records into a history, and rejects records that contradict each other.</summary>
internal sealed class HistoryAssembly
{
    private readonly HistoryColumns _columns;
    private readonly WalTree _tree;
    private readonly WriteIndex _writes;
    private readonly VersionTable _versions;

    private HistoryAssembly(HistoryColumns columns)
    {
        _columns = columns;
        _tree = WalTree.Grow(columns.Forks, Timelines(columns.Commits));
        _writes = new WriteIndex(columns.Operations);
        _versions = VersionTableOf();
    }

    /// <exception cref="HistoryException">Records contradict each other.</exception>
    public static History Assemble(HistoryColumns columns)
    {
        var assembly = new HistoryAssembly(columns);
        for (var i = 0; i < columns.Operations.Count; i++)
        {
            if (!columns.Operations[i].IsWrite) assembly.RequireWritten(i);
        }

        return new History(columns, assembly._tree, assembly._versions, assembly.Settled());
    }

    private static Dictionary<uint, RecordId> Timelines(BlockList<CommitRecord> commits)
    {
        Dictionary<uint, RecordId> timelines = [];
        for (var i = 0; i < commits.Count; i++) timelines.TryAdd(commits[i].Timeline, new RecordId(RecordKind.Commit, i));
        return timelines;
    }

    private VersionTable VersionTableOf()
    {
        var commits = _columns.Commits;
        var starts = new int[_columns.Keys.Count + 1];
        for (var i = 0; i < commits.Count; i++) starts[commits[i].Key + 1]++;
        for (var key = 0; key < _columns.Keys.Count; key++) starts[key + 1] += starts[key];

        var records = new int[commits.Count];
        var next = starts.AsSpan(0, _columns.Keys.Count).ToArray();
        for (var i = 0; i < commits.Count; i++) records[next[commits[i].Key]++] = i;
        Comparison<int> order = (one, other) => (commits[one].Version, commits[one].Timeline, one)
            .CompareTo((commits[other].Version, commits[other].Timeline, other));
        for (var key = 0; key < _columns.Keys.Count; key++)
        {
            var ofKey = records.AsSpan(starts[key]..starts[key + 1]);
            if (!IsOrdered(ofKey)) ofKey.Sort(order);
        }

        var versions = new CommittedVersion[commits.Count];
        for (var i = 0; i < versions.Length; i++) versions[i] = Version(records[i]);
        for (var i = 0; i < versions.Length; i++) RequireHistory(versions, i, starts[versions[i].Key], records[i]);
        return new VersionTable(versions, starts, _tree);
    }

    private Dictionary<int, long> Settled()
    {
        Dictionary<int, long> settled = [];
        for (var i = 0; i < _columns.Settlements.Count; i++)
        {
            var (value, time) = _columns.Settlements[i];
            var writer = _writes.Find(value);
            if (writer < 0) throw Refuse(i, $"no operation wrote value {value}.");
            if (time < _columns.Operations[writer].Start)
                throw Refuse(i, $"operation #{writer}, which wrote value {value}, had not started at {time}.");
            if (!settled.TryGetValue(writer, out var earliest) || time < earliest) settled[writer] = time;
        }

        return settled;
        static HistoryException Refuse(int settlement, string reason) => new(new RecordId(RecordKind.Settlement, settlement), reason);
    }

    private bool IsOrdered(ReadOnlySpan<int> records)
    {
        for (var i = 1; i < records.Length; i++)
        {
            if (_columns.Commits[records[i]].Version <= _columns.Commits[records[i - 1]].Version) return false;
        }

        return true;
    }

    private CommittedVersion Version(int record)
    {
        var id = new RecordId(RecordKind.Commit, record);
        var commit = _columns.Commits[record];
        var timeline = _tree.IndexOf(commit.Timeline);
        if (commit.Rank <= _tree.Begin(timeline))
            throw new HistoryException(id,
                $"rank {commit.Rank} is not after rank {_tree.Begin(timeline)}, at which timeline {commit.Timeline} began.");
        var writer = _writes.Find(commit.Value);
        if (writer < 0) throw new HistoryException(id, $"no operation wrote value {commit.Value}.");
        ref var write = ref _columns.Operations[writer];
        if (write.Key != commit.Key)
            throw new HistoryException(id, $"operation #{writer} wrote value {commit.Value} to key {KeyName(write.Key)}, not "
                + $"to key {KeyName(commit.Key)}.");

        // If the client did not receive the version, take it from the WAL.
        if (write.Version == 0) write.Version = commit.Version;
        if (write.Version != commit.Version)
            throw new HistoryException(id,
                $"operation #{writer} returned version {write.Version} of key {KeyName(write.Key)}, not {commit.Version}, or is "
                + "committed twice.");
        return new CommittedVersion
        {
            Rank = commit.Rank, Value = commit.Value, Key = commit.Key, Version = commit.Version, Timeline = timeline, Writer = writer,
        };
    }

    // The history of each version must contain the previous version exactly once, at a smaller rank, and no second version with the same
    // number.
    private void RequireHistory(CommittedVersion[] versions, int index, int start, int record)
    {
        var version = versions[index];
        var hasPrevious = version.Version == 1;
        for (var i = index - 1; i >= start && versions[i].Version >= version.Version - 1; i--)
        {
            var isInHistory = versions[i].Timeline == version.Timeline
                ? versions[i].Version == version.Version || versions[i].Rank < version.Rank
                : versions[i].Rank <= _tree.Reach(versions[i].Timeline, version.Timeline);
            if (versions[i].Version == version.Version && (isInHistory || versions[i].Value == version.Value))
                throw Refuse($"version {version.Version} of key {KeyName(version.Key)} is committed twice.");
            hasPrevious |= isInHistory;
        }

        if (!hasPrevious)
            throw Refuse(
                $"version {version.Version} of key {KeyName(version.Key)} is committed, "
                + $"but version {version.Version - 1} is not committed before "
                + "it.");
        HistoryException Refuse(string reason) => new(new RecordId(RecordKind.Commit, record), reason);
    }

    private void RequireWritten(int read)
    {
        ref readonly var operation = ref _columns.Operations[read];
        for (var i = 0; i < operation.RowCount; i++)
        {
            var row = _columns.Rows[operation.FirstRow + i];
            if (row.Version == 0 || _versions.Find(row.Key, row.Version, row.Value) != VersionTable.None) continue;
            var writer = _writes.Find(row.Value);
            // A failed write that a read shows is a violation and not a contradiction.
            if (writer >= 0 && _columns.Operations[writer].Key == row.Key && _columns.Operations[writer].Outcome == HistoryOutcome.Failed)
                continue;
            throw new HistoryException(new RecordId(RecordKind.Operation, read),
                $"it shows value {row.Value} as version {row.Version} of key {KeyName(row.Key)}, " + (writer switch
            {
                < 0 => "which no operation wrote.",
                _ when _columns.Operations[writer].Key != row.Key =>
                    $"which operation #{writer} wrote to key {KeyName(_columns.Operations[writer].Key)}.",
                _ => $"which operation #{writer} wrote without a commit record.",
            }));
        }
    }

    private long KeyName(int key) => _columns.Keys[key];
}
