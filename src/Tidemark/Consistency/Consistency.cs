using System.Diagnostics.CodeAnalysis;

namespace Tidemark;

/// <summary>What a read asks for: how much of history the node that serves it must contain.</summary>
/// <remarks>The names are those .NET users know from Cosmos DB; the guarantees are Terry's (1994).</remarks>
public readonly record struct Consistency : ISpanParsable<Consistency>
{
    private Consistency(ConsistencyLevel level) => Level = level;

    /// <summary>Any replica, however far behind. The default value of the type.</summary>
    public static Consistency Eventual { get; } = new(ConsistencyLevel.Eventual);

    /// <summary>A node that contains everything the session has written; the primary where no replica is known to.</summary>
    public static Consistency ReadYourWrites { get; } = new(ConsistencyLevel.ReadYourWrites);

    /// <summary>The primary. It is as strong as the fencing of an old primary after a failover.</summary>
    public static Consistency Strong { get; } = new(ConsistencyLevel.Strong);

    /// <summary>The level that is asked for.</summary>
    internal ConsistencyLevel Level { get; }

    /// <summary>Reads a level by its name, in any case: <c>Strong</c>, <c>ReadYourWrites</c>, <c>Eventual</c>.</summary>
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

    /// <summary>Reads a level by its name, and says whether there is one of that name.</summary>
    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out Consistency result) =>
        TryParse(s.AsSpan(), provider, out result);

    /// <inheritdoc cref="TryParse(string?, IFormatProvider?, out Consistency)"/>
    public static bool TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out Consistency result)
    {
        foreach (var level in Enum.GetValues<ConsistencyLevel>())
        {
            if (s.Trim().Equals(level.ToString(), StringComparison.OrdinalIgnoreCase))
            {
                result = new Consistency(level);
                return true;
            }
        }

        result = default;
        return false;
    }

    /// <summary>The name of the level, as <see cref="Parse(string, IFormatProvider?)"/> reads it.</summary>
    public override string ToString() => Level.ToString();

    internal static string Names { get; } = string.Join(", ", Enum.GetNames<ConsistencyLevel>());
}

/// <summary>The levels, weakest first.</summary>
internal enum ConsistencyLevel
{
    Eventual,
    ReadYourWrites,
    Strong,
}
