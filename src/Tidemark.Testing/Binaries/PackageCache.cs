namespace Tidemark.Testing;

/// <summary>The layout of the cache that PostgreSQL is fetched into.</summary>
internal static class PackageCache
{
    /// <summary>The list of symbolic links in npm's package.</summary>
    public const string LinkList = "pg-symlinks.json";

    /// <summary>Returns the folder patterns of earlier downloads.</summary>
    public static IEnumerable<string> Places(string cache) =>
        [Path.Combine(cache, "postgres/debian-*/usr/lib/postgresql/*/bin"), Path.Combine(cache, "postgres/npm-*/bin")];
}
