namespace Tidemark.EfSuite;

// A trading house whose model contains one of everything that EF Core can map on PostgreSQL (see NorthwindContext).

/// <summary>A native enum type of PostgreSQL.</summary>
internal enum Tier
{
    Bronze,
    Silver,
    Gold,
}
