namespace Tidemark.EfSuite;

/// <summary>Owned, in one JSON column.</summary>
internal sealed class Preferences
{
    public required string Language { get; set; }

    public bool Newsletter { get; set; }

    public List<string> Topics { get; set; } = [];

    public List<Favourite> Favourites { get; set; } = [];
}
