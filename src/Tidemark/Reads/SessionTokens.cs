namespace Tidemark;

/// <summary>
/// Carries sessions from one process to another: makes tokens of what a session knows, and judges those that come in. A token that cannot
/// be believed
/// means "unknown", and the primary is asked; it is never fresh, and never an error page.
/// </summary>
internal sealed class SessionTokens(ClusterConnections cluster, WatermarkResolver watermarks, LiveOptions options, TimeProvider time)
{
    private static readonly TimeSpan WarningInterval = TimeSpan.FromMinutes(1);

    private readonly byte[]? _key = CausalToken.KeyOf(options.Current.TokenKey);
    private long _lastWarning;

    /// <summary>A token of the session; its places are unknown where they could not be learned.</summary>
    public async ValueTask<CausalToken> CaptureAsync(ConsistencySession session, ConsistencyDemands what,
        CancellationToken cancellationToken)
    {
        await watermarks.ResolveAllAsync(session, what, cancellationToken).ConfigureAwait(false);
        return Of(session, what);
    }

    /// <summary>A token of the session as it is, without asking any node: its places are unknown where they are pending.</summary>
    public CausalToken Of(ConsistencySession session, ConsistencyDemands what)
    {
        var snapshot = cluster.Monitor.Snapshot;
        var (written, seen, unknown, isInDoubt) = session.Capture(what, snapshot.Chain);
        return new CausalToken(snapshot.SystemIdentifier, written, seen, unknown, time.GetUtcNow() + options.Current.TokenLifetime,
            snapshot.Chain, _key, isInDoubt);
    }

    /// <summary>
    /// Returns if the tokens can all be continued in one session; they are compared before any of them changes the session.
    /// </summary>
    /// <exception cref="ArgumentException">A token is of another cluster than this one or than another token.</exception>
    public void ThrowIfContradictory(IReadOnlyList<CausalToken> tokens)
    {
        CausalToken? first = null;
        foreach (var token in tokens)
        {
            if (token is null) throw new ArgumentException("One of the tokens is null.", nameof(tokens));
            if (token.Cluster == 0) continue;
            first ??= token;
            if (token.Cluster != first.Cluster)
                throw new ArgumentException(
                    $"The tokens are of clusters {first.Cluster} and {token.Cluster}; positions of different clusters cannot be compared.",
                        nameof(tokens));
        }

        if (first is not null) ThrowIfElsewhere(first);
    }

    /// <summary>
    /// The session goes on after the token. One that cannot be believed means "unknown": never fresh, and never an error page.
    /// </summary>
    /// <exception cref="ArgumentException">The token is of another cluster.</exception>
    public void Continue(ConsistencySession session, CausalToken token)
    {
        ThrowIfElsewhere(token);
        var snapshot = cluster.Monitor.Snapshot;
        var isForged = _key is not null && !token.IsSignedBy(_key);
        var problem = isForged ? (token.IsSigned ? "its signature is not of TokenKey" : "it is not signed, and TokenKey is set")
            : snapshot.SystemIdentifier == 0 ? "no node has told which cluster this is"
            : token.Cluster == 0 ? "its process did not know its cluster"
            : token.ExpiresAt <= time.GetUtcNow() ? "it has expired"
            : null;
        if (problem is not null) Warn(problem);
        if (isForged) session.Resume(null, null, isUnknown: true);

        // The places of one that may not be believed are true all the same, if it is signed well: where history went on without them, the
        // session hears of it.
        else if (!BeganElsewhere(session, token, snapshot))
            session.Resume(token.Written, token.Seen, token.IsUnknown || problem is not null, token.IsInDoubt, token.Unknown);
    }

    /// <summary>
    /// The place is on a timeline of the same number that began elsewhere: another node was promoted, and history went on with this one.
    /// </summary>
    private static bool IsOfAnother(CausalToken token, WalPosition? position, bool wasWritten, ClusterSnapshot snapshot,
        ConsistencySession session)
    {
        if (position is not { } p || token.BeginOf(wasWritten) is not { } begun || snapshot.Chain.BeginOf(p.Timeline) is not { } begins
            || begun == begins) return false;
        session.NoteLoss(LostWrite.Of(p, isCertain: true, wasWritten, $"it was on a timeline {p.Timeline} that began at {begun}, and "
            + $"this one began at {begins}"));
        return true;
    }

    /// <summary>
    /// The session's reads include what a store of this application's has noted: it needs no signature and does not expire.
    /// </summary>
    public void Include(ConsistencySession session, CausalToken token)
    {
        var snapshot = cluster.Monitor.Snapshot;
        if (snapshot.SystemIdentifier != 0 && token.Cluster != snapshot.SystemIdentifier)
        {
            // A table that came with a dump: what it notes was written elsewhere.
            Warn("it was noted in another cluster");
            session.Resume(null, null, isUnknown: true);
        }
        else if (!BeganElsewhere(session, token, snapshot))
        {
            // Somebody else's write, which no read may miss: as if written for one half of the levels, as if seen for the other.
            session.Resume(token.Written, token.Written, token.IsUnknown);
        }
    }

    /// <summary>A token of one place, for a store of this application's. It does not expire.</summary>
    public CausalToken Of(WalPosition position)
    {
        var snapshot = cluster.Monitor.Snapshot;
        return new CausalToken(snapshot.SystemIdentifier, position, seen: null, unknown: null, DateTimeOffset.MaxValue, snapshot.Chain,
            _key);
    }

    /// <summary>
    /// A place of the token is on a timeline that has the number of one of ours and is another: it is lost, and what replaces it unknown.
    /// </summary>
    private static bool BeganElsewhere(ConsistencySession session, CausalToken token, ClusterSnapshot snapshot)
    {
        var isLost =
            IsOfAnother(token, token.Written, wasWritten: true, snapshot, session) | IsOfAnother(token, token.Seen, wasWritten: false,
            snapshot, session);
        if (isLost) session.Resume(null, null, isUnknown: true);
        return isLost;
    }

    private void ThrowIfElsewhere(CausalToken token)
    {
        // Before every node was asked, nobody knows which cluster this is.
        if (cluster.Monitor.Snapshot.SystemIdentifier == 0) cluster.Monitor.FirstRound();
        var snapshot = cluster.Monitor.Snapshot;
        if (snapshot.SystemIdentifier != 0 && token.Cluster != snapshot.SystemIdentifier && token.Cluster != 0)
            throw new ArgumentException(
                $"The token is of cluster {token.Cluster}, and this is {snapshot.SystemIdentifier}: its positions mean nothing here.",
                    nameof(token));
    }

    /// <summary>Once a minute at most: whoever sends bad tokens by the thousand shall not fill the log too.</summary>
    private void Warn(string problem)
    {
        var now = time.GetTimestamp();
        var last = Interlocked.Read(ref _lastWarning);
        if (last != 0 && time.GetElapsedTime(last, now) < WarningInterval) return;
        if (Interlocked.CompareExchange(ref _lastWarning, now, last) == last) Log.TokenNotBelieved(cluster.Logger, problem);
    }
}
