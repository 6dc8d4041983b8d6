using System.Transactions;

namespace Tidemark;

/// <summary>Records the WAL position of a write under a key, and makes sessions include it. Holds no state; the store does.</summary>
/// <param name="cluster">The nodes.</param>
/// <param name="tokens">Creates and includes the tokens that a store keeps.</param>
/// <param name="store">Keeps the tokens.</param>
/// <param name="findSession">Returns the session that surrounds the caller.</param>
/// <param name="decideWrite">Returns the primary, or throws if none exists.</param>
internal sealed class KeyFreshness(
    ClusterConnections cluster, SessionTokens tokens, FreshnessStore store, Func<ConsistencySession?> findSession,
        Func<RouteDecision> decideWrite)
{
    public async ValueTask NoteWriteAsync(string key, CancellationToken cancellationToken)
    {
        FreshnessStore.ThrowIfInvalid(key);
        if (Transaction.Current is not null)
            throw new InvalidOperationException(
                "The caller is inside a TransactionScope, so the write is not committed yet and has no WAL position. Record it after the "
                + "scope has completed.");
        var position = findSession()?.PositionOfAllWrites ?? await PresentAsync(cancellationToken).ConfigureAwait(false);
        await store.AdvanceAsync(key, tokens.Of(position), cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask RequireAsync(string key, CancellationToken cancellationToken)
    {
        FreshnessStore.ThrowIfInvalid(key);
        var session = findSession()
            ?? throw new InvalidOperationException(
                "The key cannot be included, because no session is active. Begin one with BeginSession, or call app.UseTidemark().");
        if (await store.FindAsync(key, cancellationToken).ConfigureAwait(false) is not { } token) return;
        await cluster.Monitor.FirstRoundAsync(cancellationToken).ConfigureAwait(false);
        tokens.Include(session, token);
    }

    /// <summary>
    /// Returns a WAL position at or after every commit before this call. It is the insert position, because a commit with
    /// <c>synchronous_commit = off</c> may not be flushed yet.
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
