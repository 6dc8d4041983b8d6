namespace Tidemark.Verification;

/// <summary>
/// How a standby receives and replays what its primary flushed. Each range of WAL arrives at one time and is replayed at a later one, in
/// order. All values derive from the clock, so that replication adds no events to a simulation.
/// </summary>
internal sealed class ReplayQueue
{
    private readonly Queue<Stretch> _arriving = [];
    private readonly Queue<Stretch> _replaying = [];
    private long _lastArrival;
    private long _lastReplay;
    private ulong _received;
    private ulong _replayed;

    /// <summary>
    /// Adds WAL up to a position that arrives and is replayed at these times, or as soon afterwards as the WAL before it.
    /// </summary>
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

    /// <summary>
    /// Returns what the receiver has received since it was started. It is less than the replay position until the receiver has caught up
    /// with that.
    /// </summary>
    public ulong OnlyReceivedAt(long now)
    {
        _ = ReceivedAt(now);
        return _received;
    }

    /// <summary>Drops all WAL that has not arrived: the receiver is gone.</summary>
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

    /// <summary>Restarts the server at a position, which may be earlier than one that it has already shown.</summary>
    public void RestartAt(ulong position, long now)
    {
        _arriving.Clear();
        _replaying.Clear();
        (_received, _replayed) = (0, position);
        (_lastArrival, _lastReplay) = (now, now);
    }

    /// <summary>Pauses replay until a time. WAL that was to be replayed earlier is replayed then.</summary>
    public void StallUntil(long until, long now)
    {
        _ = ReplayedAt(now);
        var later = _replaying.Select(s => s with { At = Math.Max(s.At, until) }).ToArray();
        _replaying.Clear();
        foreach (var stretch in later) _replaying.Enqueue(stretch);
        _lastReplay = Math.Max(_lastReplay, until);
    }

    /// <summary>Lets all WAL that was sent be replayed by a time.</summary>
    public void HurryTo(long moment)
    {
        var sooner = _replaying.Select(s => s with { At = Math.Min(s.At, moment) }).ToArray();
        _replaying.Clear();
        foreach (var stretch in sooner) _replaying.Enqueue(stretch);
        _lastReplay = Math.Min(_lastReplay, moment);
    }

    private readonly record struct Stretch(ulong Position, long At);
}
