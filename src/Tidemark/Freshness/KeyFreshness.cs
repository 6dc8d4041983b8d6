using System.Transactions;

namespace Tidemark;

/// <summary>Notes under a key how far a write reaches, and lets sessions include it. Owns no state; the store does.</summary>
internal sealed class KeyFreshness
{
    private readonly TidemarkDataSource _source;
    private readonly FreshnessStore _store;

    public KeyFreshness(TidemarkDataSource source, FreshnessStore store)
    {
        (_source, _store) = (source, store);
        store.Attach(source);
    }

    public async ValueTask NoteWriteAsync(string key, CancellationToken cancellationToken)
    {
        FreshnessStore.ThrowIfInvalid(key);
        if (Transaction.Current is not null)
            throw new InvalidOperationException("A TransactionScope surrounds the caller, so the write is not committed yet and has no place. Note it after the scope has completed.");
        var place = _source.CurrentSession?.PlaceOfAllWrites ?? await PresentAsync(cancellationToken).ConfigureAwait(false);
        await _store.AdvanceAsync(key, _source.Tokens.Of(place), cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask RequireAsync(string key, CancellationToken cancellationToken)
    {
        FreshnessStore.ThrowIfInvalid(key);
        var session = _source.CurrentSession
            ?? throw new InvalidOperationException("There is no session whose reads could include the key. Begin one with BeginSession, or call app.UseTidemark().");
        if (await _store.FindAsync(key, cancellationToken).ConfigureAwait(false) is not { } token) return;
        await _source.Cluster.Monitor.FirstRoundAsync(cancellationToken).ConfigureAwait(false);
        _source.Tokens.Include(session, token);
    }

    /// <summary>A place at or beyond every commit before this call: the insert position, since one with <c>synchronous_commit = off</c> may not be flushed yet.</summary>
    private async ValueTask<Place> PresentAsync(CancellationToken cancellationToken)
    {
        var monitor = _source.Cluster.Monitor;
        await monitor.FirstRoundAsync(cancellationToken).ConfigureAwait(false);
        var index = _source.DecideWrite(session: null).NodeIndex;
        var sampled = await monitor.SampleAsync(index, cancellationToken).ConfigureAwait(false);
        return sampled.Standing == NodeStanding.Primary
            ? new Place(sampled.Timeline, sampled.InsertLsn)
            : throw RoutingException.NoNode(_source.Cluster.Decide(ReadRequirement.Primary(RouteReason.Write), 1UL << index), last: null);
    }
}
