namespace Tidemark;

/// <summary>A row of the benchmarks.</summary>
public sealed class Counter
{
    /// <summary>Its key.</summary>
    public int Id { get; init; }

    /// <summary>What saves change.</summary>
    public int Value { get; set; }
}
