using Npgsql;

namespace Tidemark;

/// <summary>
/// Remembers for each key the place of its latest write, so that whoever reads it includes that write, in whichever session: an order, a
/// document, a
/// tenant. Implementations are safe for concurrent use.
/// </summary>
/// <remarks>
/// It is trusted: whoever can write to it decides which node reads go to, as tokens do. Only <see cref="CausalToken.Written"/> counts.
/// </remarks>
public abstract class FreshnessStore
{
    /// <summary>Characters at most in a key.</summary>
    public const int MaxKeyLength = 200;

    /// <summary>Moves the key to the place of the token unless it is there or beyond already. Atomic; it never moves back.</summary>
    /// <exception cref="ArgumentException">
    /// The key is empty, too long or has control characters, or the token holds no written place.
    /// </exception>
    public abstract ValueTask AdvanceAsync(string key, CausalToken token, CancellationToken cancellationToken = default);

    /// <summary>
    /// The place of the key, or a later one; <see langword="null"/>: nothing was noted. A store that forgets keys answers for those it may
    /// have known
    /// with the latest place it has forgotten, never with <see langword="null"/>.
    /// </summary>
    /// <exception cref="ArgumentException">The key is empty, too long or has control characters.</exception>
    public abstract ValueTask<CausalToken?> FindAsync(string key, CancellationToken cancellationToken = default);

    /// <summary>Says what is wrong with a key: it must have 1 to 200 characters, whole ones, none of them a control character.</summary>
    /// <exception cref="ArgumentException">Something is.</exception>
    protected internal static void ThrowIfInvalid(string key)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        if (key.Length > MaxKeyLength)
            throw new ArgumentException($"The key is {key.Length} characters long, and a key has at most {MaxKeyLength}.", nameof(key));
        for (var i = 0; i < key.Length; i++)
        {
            if (char.IsControl(key[i])) throw new ArgumentException($"The key has a control character at {i}.", nameof(key));
            if (!char.IsSurrogate(key[i])) continue;
            if (i + 1 == key.Length || !char.IsSurrogatePair(key[i], key[i + 1]))
                throw new ArgumentException($"The key has half a character at {i}.", nameof(key));
            i++;
        }
    }

    /// <summary>The written place of a token that is to be noted.</summary>
    /// <exception cref="ArgumentException">It has none.</exception>
    protected static WalPosition WrittenOf(CausalToken token)
    {
        ArgumentNullException.ThrowIfNull(token);
        return token.Written ?? throw new ArgumentException("The token holds no written place: there is nothing to note.", nameof(token));
    }

    /// <summary>Attaches the store to the data source that it is for. Called once, when the data source is built.</summary>
    /// <param name="openWrite">Opens a connection to the primary that belongs to no session.</param>
    internal virtual void Attach(Func<CancellationToken, ValueTask<NpgsqlConnection>> openWrite)
    {
    }
}
