using Npgsql;

namespace Tidemark;

/// <summary>
/// Keeps the WAL position of the latest write for each key (an order, a document, a tenant), so that reads of that key include the write in
/// every session. Implementations must be safe for concurrent use.
/// </summary>
/// <remarks>
/// The store is trusted: anyone who can write to it influences which node reads go to, as with tokens. Only
/// <see cref="CausalToken.Written"/> is used.
/// </remarks>
public abstract class FreshnessStore
{
    /// <summary>Maximum length of a key, in characters.</summary>
    public const int MaxKeyLength = 200;

    /// <summary>
    /// Advances the key to the written WAL position of the token. Does nothing if the key already has that position or a later one. Atomic;
    /// a key never moves back.
    /// </summary>
    /// <exception cref="ArgumentException">
    /// The key is empty, too long or contains control characters, or the token has no written WAL position.
    /// </exception>
    public abstract ValueTask AdvanceAsync(string key, CausalToken token, CancellationToken cancellationToken = default);

    /// <summary>
    /// Returns the WAL position of the key or a later one, or <see langword="null"/> if the key was never recorded. A store that discards
    /// keys returns the latest discarded position for keys that it may have discarded, never <see langword="null"/>.
    /// </summary>
    /// <exception cref="ArgumentException">The key is empty, too long or contains control characters.</exception>
    public abstract ValueTask<CausalToken?> FindAsync(string key, CancellationToken cancellationToken = default);

    /// <summary>Validates a key. A key has 1 to 200 characters, without control characters or unpaired surrogates.</summary>
    /// <exception cref="ArgumentException">The key is invalid.</exception>
    protected internal static void ThrowIfInvalid(string key)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        if (key.Length > MaxKeyLength)
            throw new ArgumentException($"The key has {key.Length} characters. The maximum is {MaxKeyLength}.", nameof(key));
        for (var i = 0; i < key.Length; i++)
        {
            if (char.IsControl(key[i])) throw new ArgumentException($"The key contains a control character at index {i}.", nameof(key));
            if (!char.IsSurrogate(key[i])) continue;
            if (i + 1 == key.Length || !char.IsSurrogatePair(key[i], key[i + 1]))
                throw new ArgumentException($"The key contains an unpaired surrogate at index {i}.", nameof(key));
            i++;
        }
    }

    /// <summary>Returns the written WAL position of a token that is to be recorded.</summary>
    /// <exception cref="ArgumentException">The token has no written WAL position.</exception>
    protected static WalPosition WrittenOf(CausalToken token)
    {
        ArgumentNullException.ThrowIfNull(token);
        return token.Written
            ?? throw new ArgumentException("The token has no written WAL position, so there is nothing to record.", nameof(token));
    }

    /// <summary>Attaches the store to its data source. Called once, when the data source is built.</summary>
    /// <param name="openWrite">Opens a connection to the primary that belongs to no session.</param>
    internal virtual void Attach(Func<CancellationToken, ValueTask<NpgsqlConnection>> openWrite)
    {
    }
}
