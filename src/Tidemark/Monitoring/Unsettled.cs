namespace Tidemark;

/// <summary>Backends and transactions on a primary that may still commit. A query for them returns those that have ended.</summary>
/// <param name="Backends">Process ids of backends that may still commit.</param>
/// <param name="Transactions">Transaction ids (<c>xid8</c>) that were open.</param>
internal sealed record Unsettled(int[] Backends, string[] Transactions)
{
    public static Unsettled None { get; } = new([], []);

    public bool IsEmpty => Backends.Length == 0 && Transactions.Length == 0;

    /// <summary>Returns the union.</summary>
    public static Unsettled All(IReadOnlyCollection<Unsettled> all) => all.Count switch
    {
        0 => None,
        1 => all.First(),
        _ => new([.. all.SelectMany(a => a.Backends).Distinct()], [.. all.SelectMany(a => a.Transactions).Distinct()]),
    };

    /// <summary>Returns the part of this that is also in <paramref name="other"/>.</summary>
    public Unsettled In(Unsettled other) => new([.. Backends.Intersect(other.Backends)], [.. Transactions.Intersect(other.Transactions)]);
}
