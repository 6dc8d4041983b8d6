namespace Tidemark.EfSuite;

// A trading house whose model has one of everything that EF Core can map on PostgreSQL. See NorthwindContext for how.

/// <summary>A native enum type of PostgreSQL.</summary>
internal enum Tier
{
    Bronze,
    Silver,
    Gold,
}
