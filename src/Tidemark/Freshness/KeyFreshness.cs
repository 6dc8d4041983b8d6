using System.Transactions;

namespace Tidemark;

/// <summary>Notes under a key how far a write reaches, and lets sessions include it. Owns no state; the store does.</summary>
/// <param name="cluster">The nodes.</param>
/// <param name="tokens">Makes and includes the tokens that a store keeps.</param>
/// <param name="store">Keeps them.</param>
/// <param name="findSession">Returns the session that surrounds the caller.</param>
/// <param name="decideWrite">Returns the primary, or throws if there is none.</param>
internal sealed class KeyFreshness(
    ClusterConnections cluster, SessionTokens tokens, FreshnessStore store, Func<ConsistencySession?> findSession,
        Func<RouteDecision> decideWrite)
{
    public async ValueTask NoteWriteAsync(string key, CancellationToken cancellationToken)
    {
        FreshnessStore.ThrowIfInvalid(key);
        if (Transaction.Current is not null)
            throw new InvalidOperationException(
                "A TransactionScope surrounds the caller, so the write is not committed yet and has no place. Note it after the scope "
                + "has completed.");
        var position = findSession()?.PositionOfAllWrites ?? await PresentAsync(cancellationToken).ConfigureAwait(false);
        await store.AdvanceAsync(key, tokens.Of(position), cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask RequireAsync(string key, CancellationToken cancellationToken)
    {
        FreshnessStore.ThrowIfInvalid(key);
        var session = findSession()
            ?? throw new InvalidOperationException(
                "There is no session whose reads could include the key. Begin one with BeginSession, or call app.UseTidemark().");
        if (await store.FindAsync(key, cancellationToken).ConfigureAwait(false) is not { } token) return;
        await cluster.Monitor.FirstRoundAsync(cancellationToken).ConfigureAwait(false);
        tokens.Include(session, token);
    }

    /// <summary>
    /// A place at or beyond every commit before this call: the insert position, since one with <c>synchronous_commit = off</c> may not be
    /// flushed yet.
    /// </summary>
    private async ValueTask<WalPosition> PresentAsync(CancellationToken cancellationToken)
    {
        var monitor = cluster.Monitor;
        await monitor.FirstRoundAsync(cancellationToken).ConfigureAwait(false);
        var index = decideWrite().NodeIndex;
        var sampled = await monitor.SampleAsync(index, cancellationToken).ConfigureAwait(false);
        return sampled.Status == ConcludedStatus.Primary
            ? new WalPosition(sampled.Timeline, sampled.InsertLsn)
            : throw RoutingException.NoNode(cluster.Decide(ReadRequirement.Primary(RouteReason.Write), 1UL << index), last: null);
    }
}
