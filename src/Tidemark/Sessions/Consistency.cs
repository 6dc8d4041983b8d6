using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Tidemark;

/// <summary>What a read asks for: how much of history the node that serves it must contain, and how old it may be at most.</summary>
/// <remarks>The names are those .NET users know from Cosmos DB; the guarantees are Terry's (1994).</remarks>
public readonly record struct Consistency : ISpanParsable<Consistency>
{
    private const string Bounded = "BoundedStaleness(";
    private const string Within_ = " within ";

    private Consistency(ConsistencyDemands demands, TimeSpan? maxStaleness = null)
    {
        Demands = demands;
        MaxStaleness = maxStaleness;
    }

    /// <summary>
    /// Any replica that is not older than the cluster's <see cref="TidemarkOptions.MaxStaleness"/>. The default value of the type.
    /// </summary>
    public static Consistency Eventual { get; } = new(ConsistencyDemands.None);

    /// <summary>The read never shows less than the session's reads before it have shown.</summary>
    public static Consistency MonotonicReads { get; } = new(ConsistencyDemands.Seen);

    /// <summary>The read includes everything the session has written.</summary>
    public static Consistency ReadYourWrites { get; } = new(ConsistencyDemands.Written);

    /// <summary>The read includes everything the session has written and seen: a user never goes back in time.</summary>
    public static Consistency Session { get; } = new(ConsistencyDemands.Written | ConsistencyDemands.Seen);

    /// <summary>The primary. It is as strong as the fencing of an old primary after a failover.</summary>
    public static Consistency Strong { get; } = new(ConsistencyDemands.Primary);

    /// <summary>
    /// How old what is read may be at most; <see langword="null"/>: the cluster's <see cref="TidemarkOptions.MaxStaleness"/> decides.
    /// </summary>
    public TimeSpan? MaxStaleness { get; }

    internal ConsistencyDemands Demands { get; }

    internal static string Names => "Strong, Session, ReadYourWrites, MonotonicReads, BoundedStaleness(00:01:00), Eventual";

    /// <summary>
    /// A read that misses nothing committed longer ago than this. Measured by replication positions against this process's own clock, so
    /// that no
    /// server's clock matters, and an idle primary makes nothing stale.
    /// </summary>
    /// <param name="maxStaleness">Above zero. Where it is used, at least the cluster's <see cref="TidemarkOptions.ProbeInterval"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">Zero or less.</exception>
    public static Consistency BoundedStaleness(TimeSpan maxStaleness) => Eventual.Within(maxStaleness);

    /// <summary>The same level, and nothing that was committed longer ago than this may be missing.</summary>
    /// <inheritdoc cref="BoundedStaleness"/>
    public Consistency Within(TimeSpan maxStaleness)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(maxStaleness, TimeSpan.Zero);
        return new Consistency(Demands, maxStaleness);
    }

    /// <summary>
    /// The level that asks for all that both ask for. <see cref="Strong"/> asks for most; a <see cref="Session"/> is
    /// <see cref="ReadYourWrites"/> and
    /// <see cref="MonotonicReads"/> together; of two bounds of staleness the smaller counts, and any bound asks for more than none.
    /// </summary>
    public static Consistency MostDemanding(Consistency one, Consistency other)
    {
        var both = one.Demands | other.Demands;
        var bound = (one.MaxStaleness, other.MaxStaleness) is ({ } a, { } b) ? (a < b ? a : b) : one.MaxStaleness ?? other.MaxStaleness;

        // Where the primary is asked for, nothing else asks for more.
        return new Consistency(both.HasFlag(ConsistencyDemands.Primary) ? ConsistencyDemands.Primary : both, bound);
    }

    /// <summary>Reads a level as <see cref="ToString"/> writes it, in any case.</summary>
    /// <exception cref="FormatException">The text names no level.</exception>
    public static Consistency Parse(string s, IFormatProvider? provider = null)
    {
        ArgumentNullException.ThrowIfNull(s);
        return Parse(s.AsSpan(), provider);
    }

    /// <inheritdoc cref="Parse(string, IFormatProvider?)"/>
    public static Consistency Parse(ReadOnlySpan<char> s, IFormatProvider? provider = null) =>
        TryParse(s, provider, out var parsed)
            ? parsed
            : throw new FormatException($"'{s}' is not a consistency level. The levels are {Names}.");

    /// <summary>Reads a level, and says whether the text names one.</summary>
    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out Consistency result) =>
        TryParse(s.AsSpan(), provider, out result);

    /// <inheritdoc cref="TryParse(string?, IFormatProvider?, out Consistency)"/>
    public static bool TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out Consistency result)
    {
        result = default;
        s = s.Trim();
        var within = s.IndexOf(Within_, StringComparison.OrdinalIgnoreCase);
        var name = within < 0 ? s : s[..within].TrimEnd();
        if (s.StartsWith(Bounded, StringComparison.OrdinalIgnoreCase) && s[^1] == ')')
            return TryBound(s[Bounded.Length..^1], Eventual, out result);
        if (!TryName(name, out var level)) return false;
        result = level;
        return within < 0 || TryBound(s[(within + Within_.Length)..], level, out result);
    }

    /// <summary>The level as <see cref="Parse(string, IFormatProvider?)"/> reads it, such as <c>Session within 00:00:30</c>.</summary>
    public override string ToString() => (Demands, MaxStaleness) switch
    {
        (ConsistencyDemands.None, { } bound) => $"{Bounded}{bound.ToString("c", CultureInfo.InvariantCulture)})",
        (_, { } bound) => $"{Name}{Within_}{bound.ToString("c", CultureInfo.InvariantCulture)}",
        _ => Name,
    };

    private string Name => Demands switch
    {
        ConsistencyDemands.None => nameof(Eventual),
        ConsistencyDemands.Seen => nameof(MonotonicReads),
        ConsistencyDemands.Written => nameof(ReadYourWrites),
        ConsistencyDemands.Primary => nameof(Strong),
        _ => nameof(Session),
    };

    private static bool TryName(ReadOnlySpan<char> name, out Consistency level)
    {
        foreach (var known in (ReadOnlySpan<Consistency>)[Eventual, MonotonicReads, ReadYourWrites, Session, Strong])
        {
            if (!name.Equals(known.Name, StringComparison.OrdinalIgnoreCase)) continue;
            level = known;
            return true;
        }

        level = default;
        return false;
    }

    private static bool TryBound(ReadOnlySpan<char> text, Consistency level, out Consistency bounded)
    {
        bounded = default;

        // "30" would be thirty days.
        if (!text.Contains(':') || !TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var bound) || bound <= TimeSpan.Zero)
            return false;
        bounded = level.Within(bound);
        return true;
    }
}
