namespace Tidemark.EfSuite;

internal sealed class Favourite
{
    public required string Product { get; set; }

    public int Rating { get; set; }
}
