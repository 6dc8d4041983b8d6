namespace Tidemark.Verification;

/// <summary>
/// One branch of the WAL, beginning at a fork. A promotion begins a branch on a new timeline. A crash that loses unflushed WAL begins one
/// on the same timeline. The branches form the tree of all WAL that ever existed.
/// </summary>
internal sealed class WalBranch(uint id, uint timeline, WalBranch? parent, ulong forkAt, long leftAt, long beganAt, int keys)
{
    private readonly List<SimulatedCommit>[] _commits = [.. Enumerable.Range(0, keys).Select(_ => new List<SimulatedCommit>())];

    /// <summary>A number that increases with each branch, unlike the timeline.</summary>
    public uint Id => id;

    public uint Timeline => timeline;

    public WalBranch? Parent => parent;

    /// <summary>The last position of the parent that belongs to the history of this branch.</summary>
    public ulong ForkAt => forkAt;

    /// <summary>Time at which the parent ended. It is before the beginning of this branch if the server had crashed.</summary>
    public long LeftAt => leftAt;

    public long BeganAt => beganAt;

    public void Add(SimulatedCommit commit) => _commits[commit.Key].Add(commit);

    /// <summary>Returns the latest version of a row up to a position, or <see langword="null"/> for the initial row.</summary>
    public SimulatedCommit? Latest(int key, ulong upTo)
    {
        var commits = _commits[key];
        for (var i = commits.Count - 1; i >= 0; i--)
            if (commits[i].End <= upTo) return commits[i];
        return parent?.Latest(key, Math.Min(upTo, forkAt));
    }

    /// <summary>Returns whether the history that leads to the end of this branch contains a position of another branch.</summary>
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
