namespace Tidemark.EfSuite;

/// <summary>Owned, in columns.</summary>
internal sealed class Spot
{
    public required string City { get; set; }
}
