namespace Tidemark;

/// <summary>
/// Carries sessions from one process to another: creates tokens from the watermarks of a session, and evaluates tokens that come in. A
/// rejected token makes the watermark unknown, so that reads resolve it on the primary. It never counts as fresh, and never causes an error
/// page.
/// </summary>
internal sealed class SessionTokens(ClusterConnections cluster, WatermarkResolver watermarks, LiveOptions options, TimeProvider time)
{
    private static readonly TimeSpan WarningInterval = TimeSpan.FromMinutes(1);

    private readonly byte[]? _key = CausalToken.KeyOf(options.Current.TokenKey);
    private long _lastWarning;

    /// <summary>Returns a token of the session. Watermarks that could not be resolved are unknown in it.</summary>
    public async ValueTask<CausalToken> CaptureAsync(ConsistencySession session, ConsistencyDemands what,
        CancellationToken cancellationToken)
    {
        await watermarks.ResolveAllAsync(session, what, cancellationToken).ConfigureAwait(false);
        return Of(session, what);
    }

    /// <summary>Returns a token of the session as it is, without querying any node. Pending watermarks are unknown in it.</summary>
    public CausalToken Of(ConsistencySession session, ConsistencyDemands what)
    {
        var snapshot = cluster.Monitor.Snapshot;
        var (written, seen, unknown, isInDoubt) = session.Capture(what, snapshot.Chain);
        return new CausalToken(snapshot.SystemIdentifier, written, seen, unknown, time.GetUtcNow() + options.Current.TokenLifetime,
            snapshot.Chain, _key, isInDoubt);
    }

    /// <summary>
    /// Throws if the tokens cannot all be continued in one session. They are compared before any of them changes the session.
    /// </summary>
    /// <exception cref="ArgumentException">A token belongs to another cluster than this one or than another token.</exception>
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
                    $"The tokens belong to clusters {first.Cluster} and {token.Cluster}. WAL positions of different clusters cannot be "
                        + "compared.", nameof(tokens));
        }

        if (first is not null) ThrowIfElsewhere(first);
    }

    /// <summary>
    /// Continues the session from the token. A rejected token makes the watermark unknown: it never counts as fresh, and never causes an
    /// error page.
    /// </summary>
    /// <exception cref="ArgumentException">The token belongs to another cluster.</exception>
    public void Continue(ConsistencySession session, CausalToken token)
    {
        ThrowIfElsewhere(token);
        var snapshot = cluster.Monitor.Snapshot;
        var isForged = _key is not null && !token.IsSignedBy(_key);
        var problem = isForged ? (token.IsSigned ? "its signature does not match TokenKey" : "it is not signed, but TokenKey is set")
            : snapshot.SystemIdentifier == 0 ? "no node has reported the system identifier of this cluster yet"
            : token.Cluster == 0 ? "it was created before its process had detected the cluster"
            : token.ExpiresAt <= time.GetUtcNow() ? "it has expired"
            : null;
        if (problem is not null) Warn(problem);
        if (isForged) session.Resume(null, null, isUnknown: true);

        // The positions of a rejected token are real all the same if its signature is valid. If history continued without them, the session
        // gets a report.
        else if (!BeganElsewhere(session, token, snapshot))
            session.Resume(token.Written, token.Observed, token.IsUnknown || problem is not null, token.IsInDoubt, token.Unknown);
    }

    /// <summary>
    /// Returns whether the position is on a timeline with the same number that began elsewhere: another node was promoted, and history
    /// continued with this one.
    /// </summary>
    private static bool IsOfAnother(CausalToken token, WalPosition? position, bool wasWritten, ClusterSnapshot snapshot,
        ConsistencySession session)
    {
        if (position is not { } p || token.BeginOf(wasWritten) is not { } begun || snapshot.Chain.BeginOf(p.Timeline) is not { } begins
            || begun == begins) return false;
        session.NoteLoss(LostWrite.Of(p, isCertain: true, wasWritten,
            $"it was on a timeline {p.Timeline} that began at {begun}, but timeline {p.Timeline} of this cluster began at {begins}"));
        return true;
    }

    /// <summary>
    /// Makes the session's reads include a token from a store of this application. Such a token needs no signature and does not expire.
    /// </summary>
    public void Include(ConsistencySession session, CausalToken token)
    {
        var snapshot = cluster.Monitor.Snapshot;
        if (snapshot.SystemIdentifier != 0 && token.Cluster != snapshot.SystemIdentifier)
        {
            // The table was restored from a dump: its positions come from another cluster.
            Warn("it was recorded in another cluster");
            session.Resume(null, null, isUnknown: true);
        }
        else if (!BeganElsewhere(session, token, snapshot))
        {
            // This is a write of another session that no read may miss, so it is merged into both watermarks: written and observed.
            session.Resume(token.Written, token.Written, token.IsUnknown);
        }
    }

    /// <summary>Returns a token of one position, for a store of this application. It does not expire.</summary>
    public CausalToken Of(WalPosition position)
    {
        var snapshot = cluster.Monitor.Snapshot;
        return new CausalToken(snapshot.SystemIdentifier, position, seen: null, unknown: null, DateTimeOffset.MaxValue, snapshot.Chain,
            _key);
    }

    /// <summary>
    /// Returns whether a position of the token is on a timeline that has the number of one of this cluster's timelines but is a different
    /// one. The position is then lost, and what replaced it is unknown.
    /// </summary>
    private static bool BeganElsewhere(ConsistencySession session, CausalToken token, ClusterSnapshot snapshot)
    {
        var isLost =
            IsOfAnother(token, token.Written, wasWritten: true, snapshot, session) | IsOfAnother(token, token.Observed, wasWritten: false,
            snapshot, session);
        if (isLost) session.Resume(null, null, isUnknown: true);
        return isLost;
    }

    private void ThrowIfElsewhere(CausalToken token)
    {
        // The cluster is unknown until every node was probed once.
        if (cluster.Monitor.Snapshot.SystemIdentifier == 0) cluster.Monitor.FirstRound();
        var snapshot = cluster.Monitor.Snapshot;
        if (snapshot.SystemIdentifier != 0 && token.Cluster != snapshot.SystemIdentifier && token.Cluster != 0)
            throw new ArgumentException(
                $"The token belongs to cluster {token.Cluster}, but this is cluster {snapshot.SystemIdentifier}. WAL positions of another "
                    + "cluster have no meaning here.", nameof(token));
    }

    /// <summary>Logs at most once a minute, so that a client that sends many invalid tokens cannot flood the log.</summary>
    private void Warn(string problem)
    {
        var now = time.GetTimestamp();
        var last = Interlocked.Read(ref _lastWarning);
        if (last != 0 && time.GetElapsedTime(last, now) < WarningInterval) return;
        if (Interlocked.CompareExchange(ref _lastWarning, now, last) == last) Log.TokenRejected(cluster.Logger, problem);
    }
}
