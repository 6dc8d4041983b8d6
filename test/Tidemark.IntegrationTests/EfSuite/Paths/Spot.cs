namespace Tidemark.EfSuite;

/// <summary>Owned, in columns of its owner's table.</summary>
internal sealed class Spot
{
    public required string City { get; set; }
}
