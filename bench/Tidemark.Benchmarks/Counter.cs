namespace Tidemark;

/// <summary>A row that the benchmarks read and save.</summary>
public sealed class Counter
{
    /// <summary>The primary key.</summary>
    public int Id { get; init; }

    /// <summary>The value that a save changes.</summary>
    public int Value { get; set; }
}
