namespace Tidemark.EfSuite;

/// <summary>Owned, in JSON.</summary>
internal sealed class Details
{
    public required string Colour { get; set; }

    public List<string> Words { get; set; } = [];
}
