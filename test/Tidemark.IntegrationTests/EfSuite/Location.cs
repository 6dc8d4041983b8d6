namespace Tidemark.EfSuite;

/// <summary>Optional, and owned by an owned type.</summary>
internal sealed class Location
{
    public double Latitude { get; set; }

    public double Longitude { get; set; }
}
