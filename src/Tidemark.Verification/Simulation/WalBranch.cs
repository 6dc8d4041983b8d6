namespace Tidemark.Verification;

/// <summary>
/// One stretch of the WAL, from a fork on: a promotion begins one on a new timeline, a crash that loses what was not flushed begins one on
/// the same. Together they are the tree of all that ever was.
/// </summary>
internal sealed class WalBranch(uint id, uint timeline, WalBranch? parent, ulong forkAt, long leftAt, long beganAt, int keys)
{
    private readonly List<SimulatedCommit>[] _commits = [.. Enumerable.Range(0, keys).Select(_ => new List<SimulatedCommit>())];

    /// <summary>Grows with each branch, unlike the timeline.</summary>
    public uint Id => id;

    public uint Timeline => timeline;

    public WalBranch? Parent => parent;

    /// <summary>The last position of the parent that belongs to this history.</summary>
    public ulong ForkAt => forkAt;

    /// <summary>When the parent came to its end: before this branch began, if the server had crashed.</summary>
    public long LeftAt => leftAt;

    public long BeganAt => beganAt;

    public void Add(SimulatedCommit commit) => _commits[commit.Key].Add(commit);

    /// <summary>The latest version of a row up to a position; <see langword="null"/>: as it was in the beginning.</summary>
    public SimulatedCommit? Latest(int key, ulong upTo)
    {
        var commits = _commits[key];
        for (var i = commits.Count - 1; i >= 0; i--)
            if (commits[i].End <= upTo) return commits[i];
        return parent?.Latest(key, Math.Min(upTo, forkAt));
    }

    /// <summary>Whether the history that leads to the end of this branch contains a position of another.</summary>
    public bool Contains(WalBranch other, ulong position)
    {
        var branch = this;
        var limit = ulong.MaxValue;
        while (branch != other)
        {
            limit = Math.Min(limit, branch.ForkAt);
            if (branch.Parent is null) return false;
            branch = branch.Parent;
        }

        return position <= limit;
    }
}
