using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Tidemark;

/// <summary>
/// The consistency level of a read: which of the session's WAL positions the node must include, and the maximum staleness.
/// </summary>
/// <remarks>The names are those of Azure Cosmos DB, which .NET users know. The guarantees are those of Terry et al. (1994).</remarks>
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
    /// Any replica within the cluster's <see cref="TidemarkOptions.MaxStaleness"/> may serve the read. This is the default value of the
    /// type.
    /// </summary>
    public static Consistency Eventual { get; } = new(ConsistencyDemands.None);

    /// <summary>The read includes everything that the session has read before.</summary>
    public static Consistency MonotonicReads { get; } = new(ConsistencyDemands.Observed);

    /// <summary>The read includes everything that the session has written.</summary>
    public static Consistency ReadYourWrites { get; } = new(ConsistencyDemands.Written);

    /// <summary>The read includes everything that the session has written and read, so a user never goes back in time.</summary>
    public static Consistency Session { get; } = new(ConsistencyDemands.Written | ConsistencyDemands.Observed);

    /// <summary>The read goes to the primary. The guarantee holds only if an old primary is fenced after a failover.</summary>
    public static Consistency Strong { get; } = new(ConsistencyDemands.Primary);

    /// <summary>
    /// Maximum staleness of the read, or <see langword="null"/> if the cluster's <see cref="TidemarkOptions.MaxStaleness"/> applies.
    /// </summary>
    public TimeSpan? MaxStaleness { get; }

    internal ConsistencyDemands Demands { get; }

    internal static string Names => "Strong, Session, ReadYourWrites, MonotonicReads, BoundedStaleness(00:01:00), Eventual";

    /// <summary>
    /// The read includes everything that was committed longer ago than the given time. Staleness is measured from replication positions and
    /// the clock of this process. The servers' clocks do not matter, and replicas of an idle primary do not become stale.
    /// </summary>
    /// <param name="maxStaleness">
    /// Maximum staleness. Greater than zero, and at least the cluster's <see cref="TidemarkOptions.ProbeInterval"/> when it is used.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">The value is zero or negative.</exception>
    public static Consistency BoundedStaleness(TimeSpan maxStaleness) => Eventual.Within(maxStaleness);

    /// <summary>
    /// Returns the same level with a maximum staleness: the read also includes everything that was committed longer ago than that.
    /// </summary>
    /// <inheritdoc cref="BoundedStaleness"/>
    public Consistency Within(TimeSpan maxStaleness)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(maxStaleness, TimeSpan.Zero);
        return new Consistency(Demands, maxStaleness);
    }

    /// <summary>
    /// Returns the level that meets the requirements of both levels. <see cref="Strong"/> is the most demanding, and <see cref="Session"/>
    /// combines <see cref="ReadYourWrites"/> and <see cref="MonotonicReads"/>. The smaller of two staleness bounds applies, and any bound
    /// is more demanding than none.
    /// </summary>
    public static Consistency MostDemanding(Consistency one, Consistency other)
    {
        var both = one.Demands | other.Demands;
        var bound = (one.MaxStaleness, other.MaxStaleness) is ({ } a, { } b) ? (a < b ? a : b) : one.MaxStaleness ?? other.MaxStaleness;

        // Reads on the primary meet every other demand.
        return new Consistency(both.HasFlag(ConsistencyDemands.Primary) ? ConsistencyDemands.Primary : both, bound);
    }

    /// <summary>Parses a level in the format of <see cref="ToString"/>. Case-insensitive.</summary>
    /// <exception cref="FormatException">The text is not a consistency level.</exception>
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

    /// <summary>Parses a level. Returns <see langword="false"/> if the text is not a consistency level.</summary>
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

    /// <summary>
    /// Returns the level in the format of <see cref="Parse(string, IFormatProvider?)"/>, such as <c>Session within 00:00:30</c>.
    /// </summary>
    public override string ToString() => (Demands, MaxStaleness) switch
    {
        (ConsistencyDemands.None, { } bound) => $"{Bounded}{bound.ToString("c", CultureInfo.InvariantCulture)})",
        (_, { } bound) => $"{Name}{Within_}{bound.ToString("c", CultureInfo.InvariantCulture)}",
        _ => Name,
    };

    private string Name => Demands switch
    {
        ConsistencyDemands.None => nameof(Eventual),
        ConsistencyDemands.Observed => nameof(MonotonicReads),
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

        // TimeSpan would parse "30" as thirty days.
        if (!text.Contains(':') || !TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var bound) || bound <= TimeSpan.Zero)
            return false;
        bounded = level.Within(bound);
        return true;
    }
}
