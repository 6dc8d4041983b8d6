namespace Tidemark.Verification;

/// <summary>
/// A PostgreSQL server, as far as its replication is visible from outside. It is a primary that inserts, flushes and makes visible, or a
/// standby that receives and replays. Its epoch ends with a crash, together with every connection. The server does nothing by itself.
/// </summary>
internal sealed class SimulatedServer(int index, string name, int keys)
{
    private const ulong PageSize = 8192;
    private const ulong SegmentSize = 16 * 1024 * 1024;
    private const ulong Header = 24;
    private const ulong SegmentHeader = 40;

    private int _backends;
    private readonly SimulatedCommit?[] _visible = new SimulatedCommit?[keys];

    public int Index => index;

    public string Name => name;

    public bool IsUp { get; set; } = true;

    /// <summary>Whether the server has no connection slot left for new connections.</summary>
    public bool IsFull { get; set; }

    /// <summary>Whether applications can reach the server. If not, what they send is lost.</summary>
    public bool IsReachable { get; set; } = true;

    public bool IsPrimary { get; private set; }

    /// <summary>Whether the standby's receiver is connected to the primary.</summary>
    public bool IsStreaming { get; set; }

    /// <summary>The number of the epoch. It increases with each crash or start, and a connection belongs to one epoch.</summary>
    public int Epoch { get; private set; } = 1;

    /// <summary>Time at which the last epoch ended.</summary>
    public long EndedAt { get; private set; }

    /// <summary>The result of <c>pg_postmaster_start_time()</c>. The crash of one backend ends an epoch but does not change it.</summary>
    public DateTimeOffset StartedAt { get; set; }

    /// <summary>Time of the statistics reset. Statistics are discarded in crash recovery and kept over a clean restart.</summary>
    public DateTimeOffset StatisticsResetAt { get; set; }

    public WalBranch Branch { get; set; } = null!;

    public ReplayQueue Replay { get; } = new();

    /// <summary>On a primary, the position at which the next record begins, after a page header if necessary.</summary>
    public ulong Insert { get; private set; }

    /// <summary>On a primary, the end of the last record.</summary>
    public ulong Written { get; private set; }

    /// <summary>On a primary, the end of the WAL on disk, which is what standbys are sent.</summary>
    public ulong Flushed { get; private set; }

    /// <summary>On a primary, the end of the last commit that did not wait for its flush.</summary>
    public ulong AsynchronousEnd { get; set; }

    public bool[] IsLocked { get; } = new bool[keys];

    /// <summary>The processes that are running a statement.</summary>
    public HashSet<int> Busy { get; } = [];

    /// <summary>The transactions that have written and have not ended.</summary>
    public HashSet<string> OpenTransactions { get; } = [];

    /// <summary>On a standby, the timeline of the minimum recovery point in its control file, which is written occasionally.</summary>
    public uint ControlTimeline { get; set; } = 1;

    public int NextBackend() => ++_backends;

    public bool Serves => IsUp && IsReachable;

    /// <summary>Makes the server the primary, so that it accepts writes.</summary>
    public void BecomePrimary(WalBranch branch, ulong position)
    {
        IsPrimary = true;
        IsStreaming = false;
        Branch = branch;
        Replay.RestartAt(position, now: 0);
        StandAt(position);
    }

    /// <summary>Makes the server a standby of a primary, with a copy that contains everything up to a position.</summary>
    public void BecomeStandby(WalBranch branch, ulong position, long now)
    {
        IsPrimary = false;
        Branch = branch;
        Replay.RestartAt(position, now);
    }

    /// <summary>Crashes the whole server or one backend. Every connection ends.</summary>
    public void EndEpoch(long now)
    {
        if (IsUp) EndedAt = now;
        Epoch++;
        Array.Clear(IsLocked);
        OpenTransactions.Clear();
    }

    /// <summary>Restarts a primary after a crash with everything up to a position. What was not flushed is lost.</summary>
    public void RollBack(WalBranch branch, ulong position)
    {
        Branch = branch;
        StandAt(position);
    }

    /// <summary>Restarts a primary after a clean shutdown. Everything was flushed and is visible.</summary>
    public void Resume() => StandAt(Flushed);

    /// <summary>Writes a record and returns its end.</summary>
    public ulong Append(ulong length)
    {
        // No record ends inside a page header.
        var end = Insert + length;
        var header = end % SegmentSize <= SegmentHeader ? SegmentHeader : Header;
        if (end % PageSize is > 0 and var offset && offset <= header) end += header - offset + 8;
        Written = end;
        Insert = end % PageSize != 0 ? end : end + (end % SegmentSize == 0 ? SegmentHeader : Header);
        return end;
    }

    /// <summary>Returns the length of a record that ends at an offset of a page.</summary>
    public ulong LengthTo(ulong pageOffset) => PageSize - (Insert % PageSize) + pageOffset;

    public void FlushTo(ulong position) => Flushed = Math.Max(Flushed, position);

    public void Show(SimulatedCommit commit)
    {
        if (_visible[commit.Key] is not { } shown || shown.End < commit.End) _visible[commit.Key] = commit;
    }

    /// <summary>Returns the version of a row that is visible on the server now.</summary>
    public SimulatedCommit? Read(int key, long now) => IsPrimary ? _visible[key] : Branch.Latest(key, Replay.ReplayedAt(now));

    /// <summary>Makes exactly the state at a position visible.</summary>
    private void StandAt(ulong position)
    {
        (Insert, Written, Flushed) = (position, position, position);

        // What was lost in a crash is not flushed later.
        AsynchronousEnd = position;
        for (var key = 0; key < _visible.Length; key++) _visible[key] = Branch.Latest(key, position);
    }
}
