namespace Tidemark.Verification;

/// <summary>The true position that a session has reached, which no library can know. An oracle routes by it.</summary>
internal readonly record struct TruePosition
{
    private WalBranch? Branch { get; init; }

    private ulong Position { get; init; }

    /// <summary>
    /// The branch by which a crash of the primary has since lost the position on the same timeline. The loss has not been reported to the
    /// session yet.
    /// </summary>
    private WalBranch? LostBy { get; init; }

    /// <summary>Returns the position after a loss was reported to the session.</summary>
    public TruePosition Reported(SimulatedCluster cluster) => OnCurrent(cluster) with { LostBy = null };

    /// <summary>Returns the position after a result that shows history up to a position.</summary>
    public TruePosition After(WalBranch branch, ulong position, SimulatedCluster cluster)
    {
        var now = OnCurrent(cluster);
        var isAhead = now.Branch is null || now.Branch == branch ? position > now.Position : branch.Contains(now.Branch, now.Position);
        return isAhead ? new TruePosition { Branch = branch, Position = position, LostBy = now.LostBy } : now;
    }

    /// <summary>Returns a position that includes both.</summary>
    public TruePosition Later(TruePosition other, SimulatedCluster cluster)
    {
        var theirs = other.OnCurrent(cluster);
        var both = theirs.Branch is { } branch ? After(branch, theirs.Position, cluster) : this;
        return both with { LostBy = both.LostBy ?? theirs.LostBy };
    }

    /// <summary>Returns whether some replica could show the position now.</summary>
    public bool IsOnReplica(SimulatedCluster cluster)
    {
        var position = OnCurrent(cluster);
        foreach (var server in cluster.Servers)
        {
            if (server.IsPrimary || !server.Serves || !cluster.Current.Contains(server.Branch, server.Replay.ReplayedAt(cluster.Now)))
                continue;
            if (position.Branch is null
                || (server.Branch.Contains(position.Branch, position.Position)
                && server.Replay.ReplayedAt(cluster.Now) >= position.Position)) return true;
        }

        return false;
    }

    /// <summary>
    /// Whether a crash of the primary had lost the position on the same timeline by a given time. A token from there cannot be
    /// distinguished from a valid one. The guarantees name this limit, so it is not a violation.
    /// </summary>
    public bool WasLostBefore(long time, SimulatedCluster cluster) => OnCurrent(cluster).LostBy?.LeftAt <= time;

    /// <summary>
    /// Whether a crash of the primary has lost the position on the same timeline, and the primary has responded to no probe since a time
    /// before its restart.
    /// </summary>
    public bool WasLostUnnoticed(ClusterSnapshot known, SimulatedCluster cluster) =>
        OnCurrent(cluster).LostBy is { } branch && !(known.Primary is { Failure: null } primary && primary.SampledAt > branch.BeganAt);

    /// <summary>Returns the part of the position with which history continued.</summary>
    private TruePosition OnCurrent(SimulatedCluster cluster)
    {
        if (Branch is null || cluster.Current.Contains(Branch, Position)) return this;
        for (var branch = cluster.Current; branch.Parent is not null; branch = branch.Parent)
            if (branch.Parent == Branch)
                return this with { Position = Math.Min(Position, branch.ForkAt), LostBy = LostBy
                ?? (branch.Timeline == Branch.Timeline ? branch : null) };
        return new TruePosition { LostBy = LostBy };
    }
}
