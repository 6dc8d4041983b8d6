namespace Tidemark.EfSuite;

/// <summary>A native enum type of PostgreSQL.</summary>
internal enum Mood
{
    Calm,
    Cross,
}
