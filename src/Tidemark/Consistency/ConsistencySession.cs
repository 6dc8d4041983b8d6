namespace Tidemark;

/// <summary>
/// One user's unit of work (a request, a job) in which reads must include the writes before them. Safe for concurrent use; one session may
/// span several connections and contexts. <see cref="Dispose"/> ends it.
/// </summary>
/// <remarks>
/// The session keeps what it has written as a place in history: known, pending (the write went through something whose position was not
/// seen; the next read asks the primary once), or in doubt (the connection broke during a commit; reads then keep to the primary).
/// </remarks>
public sealed class ConsistencySession : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Action? _onDispose;
    private Place? _written;
    private uint _pendingTimeline;
    private long _pending;
    private long _resolved;
    private int _writesUnderWay;
    private bool _isInDoubt;
    private bool _isEnded;
    private bool _hasMoved;

    internal ConsistencySession(Action? onDispose = null) => _onDispose = onDispose;

    /// <summary>
    /// The place the session's writes are known to reach; <see langword="null"/> when it has written nothing or that is not known.
    /// </summary>
    public Place? Written
    {
        get
        {
            lock (_lock) return IsUnknown ? null : _written;
        }
    }

    /// <summary>The session wrote something since it began, as opposed to what it was begun with.</summary>
    internal bool HasMoved
    {
        get
        {
            lock (_lock) return _hasMoved;
        }
    }

    private bool IsUnknown => _isInDoubt || _writesUnderWay > 0 || _pending > _resolved;

    /// <summary>Notes a write that went past Tidemark, such as one on a connection of another library: the next read includes it.</summary>
    /// <exception cref="ObjectDisposedException">The session has ended.</exception>
    public void MarkWritten()
    {
        ObjectDisposedException.ThrowIf(_isEnded, this);
        lock (_lock)
        {
            _pending++;
            _hasMoved = true;
        }
    }

    /// <summary>Ends the session. Connections it opened stay usable; they belong to no session then.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_isEnded) return;
            _isEnded = true;
        }

        _onDispose?.Invoke();
    }

    /// <summary>What a read at this level must include. Pure but for the lock.</summary>
    internal ReadRequirement Require(Consistency consistency)
    {
        if (consistency.Level == ConsistencyLevel.Strong) return ReadRequirement.Primary(RouteReason.StrongConsistency);
        if (consistency.Level == ConsistencyLevel.Eventual) return default;
        lock (_lock)
        {
            return IsUnknown ? ReadRequirement.Primary(RouteReason.WrittenPositionUnknown) : new ReadRequirement { MustInclude = _written };
        }
    }

    /// <summary>The session goes on where another left off: at a place, or somewhere unknown (pending).</summary>
    internal void Resume(Place? written)
    {
        lock (_lock)
        {
            if (written is not { } place) _pending++;
            else _written = _written is { } w ? Place.Later(w, place) : place;
        }
    }

    /// <summary>
    /// Something that may write is about to be sent to the primary of this timeline. Until <see cref="EndWrite"/> reads keep to the primary.
    /// </summary>
    internal void BeginWrite(uint timeline)
    {
        lock (_lock)
        {
            // A pending write of an earlier timeline may have been lost in the promotion since; no later sample can tell.
            if (_pending > _resolved && _pendingTimeline != 0 && _pendingTimeline != timeline) _isInDoubt = true;
            _pendingTimeline = timeline;
            _writesUnderWay++;
            _hasMoved = true;
        }
    }

    /// <summary>The write has ended: at a known place, or somewhere (pending), or nobody knows whether it happened (in doubt).</summary>
    internal void EndWrite(Place? at, bool isInDoubt = false)
    {
        lock (_lock)
        {
            _writesUnderWay--;
            if (isInDoubt) _isInDoubt = true;
            else if (at is { } place) _written = _written is { } w ? Place.Later(w, place) : place;
            else _pending++;
        }
    }

    /// <summary>The write is known not to have happened, such as a transaction that was rolled back.</summary>
    internal void AbandonWrite()
    {
        lock (_lock) _writesUnderWay--;
    }

    /// <summary>A mark for <see cref="Resolve"/>; <see langword="null"/> when a sample would resolve nothing.</summary>
    internal long? PendingMark
    {
        get
        {
            lock (_lock) return !_isInDoubt && _pending > _resolved ? _pending : null;
        }
    }

    /// <summary>Resolves the writes that were pending at the mark, by the primary's flush position sampled after it.</summary>
    internal void Resolve(long mark, Place flushed)
    {
        lock (_lock)
        {
            if (_pendingTimeline != 0 && _pendingTimeline != flushed.Timeline)
            {
                _isInDoubt = true;
                return;
            }

            _resolved = Math.Max(_resolved, mark);
            _written = _written is { } w ? Place.Later(w, flushed) : flushed;
        }
    }
}
