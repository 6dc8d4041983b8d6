namespace Tidemark;

/// <summary>
/// Keys in the memory of this process, for as long as it lives: other processes do not see them (<see cref="TableFreshnessStore"/>). Of
/// more keys than its
/// limit the one noted longest ago is forgotten; unknown keys then have the latest place of all that were forgotten, which costs freshness
/// nothing.
/// </summary>
public sealed class InMemoryFreshnessStore : FreshnessStore
{
    /// <summary>Keys at most unless the constructor says otherwise.</summary>
    public const int DefaultMaxKeys = 100_000;

    private readonly int _maxKeys;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, LinkedListNode<Entry>> _entries = new(StringComparer.Ordinal);
    private readonly LinkedList<Entry> _oldestFirst = [];
    private CausalToken? _forgotten;

    /// <summary>An empty store.</summary>
    /// <param name="maxKeys">Keys at most, from 1 to 10,000,000; 100,000 by default.</param>
    /// <exception cref="ArgumentOutOfRangeException">The limit is out of bounds.</exception>
    public InMemoryFreshnessStore(int maxKeys = DefaultMaxKeys)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxKeys, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(maxKeys, 10_000_000);
        _maxKeys = maxKeys;
    }

    /// <inheritdoc/>
    public override ValueTask AdvanceAsync(string key, CausalToken token, CancellationToken cancellationToken = default)
    {
        ThrowIfInvalid(key);
        _ = WrittenOf(token);
        lock (_lock) Advance(key, token);
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public override ValueTask<CausalToken?> FindAsync(string key, CancellationToken cancellationToken = default)
    {
        ThrowIfInvalid(key);
        lock (_lock) return new ValueTask<CausalToken?>(_entries.TryGetValue(key, out var entry) ? entry.Value.Token : _forgotten);
    }

    private void Advance(string key, CausalToken token)
    {
        // A key that is new may be one that was forgotten: it must not come back at less than it had.
        var known = _entries.GetValueOrDefault(key);
        var latest = Later(known is null ? _forgotten : known.Value.Token, token);
        if (known is not null) _oldestFirst.Remove(known);
        _entries[key] = _oldestFirst.AddLast(new Entry(key, latest));
        if (_entries.Count <= _maxKeys) return;

        var oldest = _oldestFirst.First!;
        _oldestFirst.Remove(oldest);
        _entries.Remove(oldest.Value.Key);
        _forgotten = Later(_forgotten, oldest.Value.Token);
    }

    private static CausalToken Later(CausalToken? known, CausalToken token)
    {
        if (known is null) return token;
        if (known.Cluster != token.Cluster)
            throw new ArgumentException($"The token is of cluster {token.Cluster}, and the store holds places of {known.Cluster}: give "
                + "each cluster its own store.", nameof(token));
        return WalPosition.Later(known.Written!.Value, token.Written!.Value) == token.Written ? token : known;
    }

    private sealed record Entry(string Key, CausalToken Token);
}
