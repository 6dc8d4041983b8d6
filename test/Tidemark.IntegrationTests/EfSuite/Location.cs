namespace Tidemark.EfSuite;

/// <summary>Owned by what is owned, and optional.</summary>
internal sealed class Location
{
    public double Latitude { get; set; }

    public double Longitude { get; set; }
}
