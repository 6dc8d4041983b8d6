namespace Tidemark.Testing;

/// <summary>The supported major versions of PostgreSQL.</summary>
internal static class PostgresVersions
{
    /// <summary>The oldest major version of PostgreSQL that is supported.</summary>
    public const int Oldest = 15;

    /// <summary>The newest major version of PostgreSQL that was tested, and the one that is fetched if no version is requested.</summary>
    public const int Newest = 18;
}
