namespace Tidemark.Verification;

/// <summary>
/// A PostgreSQL server as far as its replication can be told from outside: a primary that inserts, flushes and makes visible, or a standby
/// that receives and replays; a life that ends with a crash, together with every connection. Does nothing by itself.
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

    /// <summary>It has no connection left for anybody who is not connected.</summary>
    public bool IsFull { get; set; }

    /// <summary>Applications reach it; without, what they send is lost.</summary>
    public bool IsReachable { get; set; } = true;

    public bool IsPrimary { get; private set; }

    /// <summary>A standby's receiver is connected to the primary.</summary>
    public bool IsStreaming { get; set; }

    /// <summary>Grows with each crash or start; a connection belongs to one.</summary>
    public int Epoch { get; private set; } = 1;

    /// <summary>When the last life ended.</summary>
    public long EndedAt { get; private set; }

    /// <summary>What <c>pg_postmaster_start_time()</c> says: a crash of one backend ends a life and leaves it.</summary>
    public DateTimeOffset StartedAt { get; set; }

    /// <summary>When the statistics were reset: they are discarded in recovery from a crash, and kept over a clean restart.</summary>
    public DateTimeOffset StatisticsResetAt { get; set; }

    public WalBranch Branch { get; set; } = null!;

    public ReplayQueue Replay { get; } = new();

    /// <summary>Of a primary: where the next record begins, behind a page header if need be.</summary>
    public ulong Insert { get; private set; }

    /// <summary>Of a primary: the end of the last record.</summary>
    public ulong Written { get; private set; }

    /// <summary>Of a primary: what is on disk, and so what standbys are sent.</summary>
    public ulong Flushed { get; private set; }

    /// <summary>Of a primary: the end of the last commit that did not wait for its flush.</summary>
    public ulong AsynchronousEnd { get; set; }

    public bool[] IsLocked { get; } = new bool[keys];

    /// <summary>The processes that run a statement now.</summary>
    public HashSet<int> Busy { get; } = [];

    /// <summary>The transactions that have written something and have not ended.</summary>
    public HashSet<string> OpenTransactions { get; } = [];

    /// <summary>Of a standby: the timeline of the minimum recovery point in its control file, which is written now and then.</summary>
    public uint ControlTimeline { get; set; } = 1;

    public int NextBackend() => ++_backends;

    public bool Serves => IsUp && IsReachable;

    /// <summary>It takes writes from now on.</summary>
    public void BecomePrimary(WalBranch branch, ulong position)
    {
        IsPrimary = true;
        IsStreaming = false;
        Branch = branch;
        Replay.RestartAt(position, now: 0);
        StandAt(position);
    }

    /// <summary>It follows a primary from now on, with a copy that has everything to a position.</summary>
    public void BecomeStandby(WalBranch branch, ulong position, long now)
    {
        IsPrimary = false;
        Branch = branch;
        Replay.RestartAt(position, now);
    }

    /// <summary>A crash of the whole server or of one backend: every connection ends.</summary>
    public void EndEpoch(long now)
    {
        if (IsUp) EndedAt = now;
        Epoch++;
        Array.Clear(IsLocked);
        OpenTransactions.Clear();
    }

    /// <summary>A primary comes back after a crash, and has everything up to a position: what was not flushed is gone.</summary>
    public void RollBack(WalBranch branch, ulong position)
    {
        Branch = branch;
        StandAt(position);
    }

    /// <summary>A primary comes back after a clean stop: everything was flushed, and is visible.</summary>
    public void Resume() => StandAt(Flushed);

    /// <summary>Writes a record and says where it ends.</summary>
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

    /// <summary>How long a record must be to end at an offset of a page.</summary>
    public ulong LengthTo(ulong pageOffset) => PageSize - (Insert % PageSize) + pageOffset;

    public void FlushTo(ulong position) => Flushed = Math.Max(Flushed, position);

    public void Show(SimulatedCommit commit)
    {
        if (_visible[commit.Key] is not { } shown || shown.End < commit.End) _visible[commit.Key] = commit;
    }

    /// <summary>What a row shows here now.</summary>
    public SimulatedCommit? Read(int key, long now) => IsPrimary ? _visible[key] : Branch.Latest(key, Replay.ReplayedAt(now));

    /// <summary>What everything up to a position looks like is visible; nothing else is.</summary>
    private void StandAt(ulong position)
    {
        (Insert, Written, Flushed) = (position, position, position);

        // What was lost in a crash is not flushed afterwards.
        AsynchronousEnd = position;
        for (var key = 0; key < _visible.Length; key++) _visible[key] = Branch.Latest(key, position);
    }
}
