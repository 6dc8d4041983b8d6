namespace Tidemark.Verification;

/// <summary>
/// How a standby comes to have what its primary flushed: each stretch of WAL arrives at a moment and is replayed at a later one, in order.
/// Answers by the clock alone, so that replication costs a simulation no events of its own.
/// </summary>
internal sealed class ReplayQueue
{
    private readonly Queue<Stretch> _arriving = [];
    private readonly Queue<Stretch> _replaying = [];
    private long _lastArrival;
    private long _lastReplay;
    private ulong _received;
    private ulong _replayed;

    /// <summary>WAL up to a position arrives and is replayed at these moments, or as soon after as what came before it.</summary>
    public void Add(ulong position, long arrivesAt, long replayedAt)
    {
        _lastArrival = Math.Max(_lastArrival, arrivesAt);
        _lastReplay = Math.Max(_lastReplay, Math.Max(replayedAt, _lastArrival));
        _arriving.Enqueue(new Stretch(position, _lastArrival));
        _replaying.Enqueue(new Stretch(position, _lastReplay));
    }

    public ulong ReceivedAt(long now)
    {
        while (_arriving.TryPeek(out var next) && next.At <= now) _received = Math.Max(_received, _arriving.Dequeue().Position);
        return Math.Max(_received, ReplayedAt(now));
    }

    public ulong ReplayedAt(long now)
    {
        while (_replaying.TryPeek(out var next) && next.At <= now) _replayed = Math.Max(_replayed, _replaying.Dequeue().Position);
        return _replayed;
    }

    /// <summary>What the receiver was given since it was started; behind the replay position until it has been given that much.</summary>
    public ulong OnlyReceivedAt(long now)
    {
        _ = ReceivedAt(now);
        return _received;
    }

    /// <summary>Nothing that has not arrived will: the receiver is gone.</summary>
    public void CutOff(long now)
    {
        var received = ReceivedAt(now);
        _arriving.Clear();
        var kept = _replaying.Where(s => s.Position <= received).ToArray();
        _replaying.Clear();
        foreach (var stretch in kept) _replaying.Enqueue(stretch);
        _lastArrival = now;
        _lastReplay = kept.Length == 0 ? now : kept[^1].At;
    }

    /// <summary>The server was started anew: it stands at a position again, perhaps an earlier one than it has shown.</summary>
    public void RestartAt(ulong position, long now)
    {
        _arriving.Clear();
        _replaying.Clear();
        (_received, _replayed) = (0, position);
        (_lastArrival, _lastReplay) = (now, now);
    }

    /// <summary>Replay stands still until a moment; what was to be replayed before is replayed then.</summary>
    public void StallUntil(long until, long now)
    {
        _ = ReplayedAt(now);
        var later = _replaying.Select(s => s with { At = Math.Max(s.At, until) }).ToArray();
        _replaying.Clear();
        foreach (var stretch in later) _replaying.Enqueue(stretch);
        _lastReplay = Math.Max(_lastReplay, until);
    }

    /// <summary>Everything that was sent has been replayed by a moment.</summary>
    public void HurryTo(long moment)
    {
        var sooner = _replaying.Select(s => s with { At = Math.Min(s.At, moment) }).ToArray();
        _replaying.Clear();
        foreach (var stretch in sooner) _replaying.Enqueue(stretch);
        _lastReplay = Math.Min(_lastReplay, moment);
    }

    private readonly record struct Stretch(ulong Position, long At);
}
