namespace Tidemark;

/// <summary>What may still be committed on a primary: asked of it, and answered with the part that has ended.</summary>
/// <param name="Backends">Process ids of the servers' backends that may still commit something.</param>
/// <param name="Transactions">Transaction ids (<c>xid8</c>) that were open.</param>
internal sealed record Unsettled(int[] Backends, string[] Transactions)
{
    public static Unsettled None { get; } = new([], []);

    public bool IsEmpty => Backends.Length == 0 && Transactions.Length == 0;

    /// <summary>Everything that any of them asks for.</summary>
    public static Unsettled All(IReadOnlyCollection<Unsettled> all) => all.Count switch
    {
        0 => None,
        1 => all.First(),
        _ => new([.. all.SelectMany(a => a.Backends).Distinct()], [.. all.SelectMany(a => a.Transactions).Distinct()]),
    };

    /// <summary>What of this is in the other.</summary>
    public Unsettled In(Unsettled other) => new([.. Backends.Intersect(other.Backends)], [.. Transactions.Intersect(other.Transactions)]);
}
