namespace Tidemark;

/// <summary>
/// Keeps keys in the memory of this process. Other processes do not share them; use <see cref="TableFreshnessStore"/> for that.
/// </summary>
/// <remarks>
/// When the store is full, it discards the key that was recorded longest ago. Keys that are not in the store then have the latest of all
/// discarded WAL positions, so no read becomes less fresh.
/// </remarks>
public sealed class InMemoryFreshnessStore : FreshnessStore
{
    /// <summary>Default maximum number of keys.</summary>
    public const int DefaultMaxKeys = 100_000;

    private readonly int _maxKeys;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, LinkedListNode<Entry>> _entries = new(StringComparer.Ordinal);
    private readonly LinkedList<Entry> _oldestFirst = [];
    private CausalToken? _forgotten;

    /// <summary>Creates an empty store.</summary>
    /// <param name="maxKeys">Maximum number of keys, from 1 to 10,000,000. The default is 100,000.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxKeys"/> is out of bounds.</exception>
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
        // A new key may have been discarded before: it must not return with an earlier position than it had.
        var entry = _entries.GetValueOrDefault(key);
        var latest = Later(entry is null ? _forgotten : entry.Value.Token, token);
        if (entry is not null) _oldestFirst.Remove(entry);
        _entries[key] = _oldestFirst.AddLast(new Entry(key, latest));
        if (_entries.Count <= _maxKeys) return;

        var oldest = _oldestFirst.First!;
        _oldestFirst.Remove(oldest);
        _entries.Remove(oldest.Value.Key);
        _forgotten = Later(_forgotten, oldest.Value.Token);
    }

    private static CausalToken Later(CausalToken? recorded, CausalToken token)
    {
        if (recorded is null) return token;
        if (recorded.Cluster != token.Cluster)
            throw new ArgumentException($"The token belongs to cluster {token.Cluster}, but the store holds WAL positions of cluster "
                + $"{recorded.Cluster}. Use a separate store for each cluster.", nameof(token));
        return WalPosition.Later(recorded.Written!.Value, token.Written!.Value) == token.Written ? token : recorded;
    }

    private sealed record Entry(string Key, CausalToken Token);
}
