namespace Tidemark.Verification;

/// <summary>How far a session has come in truth, which no library can know: what an oracle routes by.</summary>
internal readonly record struct TruePosition
{
    private WalBranch? Branch { get; init; }

    private ulong Position { get; init; }

    /// <summary>A crash of the primary has lost it on the same timeline since, and nobody has told the session yet.</summary>
    private WalBranch? LostBy { get; init; }

    /// <summary>The session was told.</summary>
    public TruePosition Reported(SimulatedCluster cluster) => OnCurrent(cluster) with { LostBy = null };

    /// <summary>The place after an answer that shows history up to a position.</summary>
    public TruePosition After(WalBranch branch, ulong position, SimulatedCluster cluster)
    {
        var now = OnCurrent(cluster);
        var isAhead = now.Branch is null || now.Branch == branch ? position > now.Position : branch.Contains(now.Branch, now.Position);
        return isAhead ? new TruePosition { Branch = branch, Position = position, LostBy = now.LostBy } : now;
    }

    /// <summary>What includes both.</summary>
    public TruePosition Later(TruePosition other, SimulatedCluster cluster)
    {
        var theirs = other.OnCurrent(cluster);
        var both = theirs.Branch is { } branch ? After(branch, theirs.Position, cluster) : this;
        return both with { LostBy = both.LostBy ?? theirs.LostBy };
    }

    /// <summary>Whether some replica could show it now.</summary>
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
    /// A crash of the primary had lost it on the same timeline by a moment. A token from there cannot be told from a good one: a limit that
    /// the guarantees name, and no violation.
    /// </summary>
    public bool WasLostBefore(long time, SimulatedCluster cluster) => OnCurrent(cluster).LostBy?.LeftAt <= time;

    /// <summary>
    /// A crash of the primary has lost it on the same timeline, and no probe has been answered by the primary since a moment before it was
    /// back.
    /// </summary>
    public bool WasLostUnnoticed(ClusterSnapshot known, SimulatedCluster cluster) =>
        OnCurrent(cluster).LostBy is { } branch && !(known.Primary is { Failure: null } primary && primary.SampledAt > branch.BeganAt);

    /// <summary>What of it history went on with.</summary>
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
