using System.Globalization;
using System.Text.RegularExpressions;

namespace Tidemark.Testing;

/// <summary>An installation of PostgreSQL.</summary>
/// <param name="Folder">The folder with <c>initdb</c> and <c>postgres</c>.</param>
/// <param name="Version">The output of <c>postgres --version</c>.</param>
/// <param name="Major">The major version: the first number in <paramref name="Version"/>.</param>
internal sealed partial record PostgresBinaries(string Folder, string Version, int Major)
{
    /// <summary>The parent folder of <c>bin</c>.</summary>
    private string Root => Path.GetDirectoryName(Folder)!;

    // Only the npm package includes system libraries.
    private bool IncludesLibraries => File.Exists(Path.Combine(Root, PackageCache.LinkList));

    /// <summary>
    /// Finds a program of this installation. Returns <c>null</c> if it is missing: the npm package has only what a server needs. If the
    /// folder contains links, also searches the folder that they point to, which may contain more programs.
    /// </summary>
    public string? FindProgram(string program)
    {
        var server = Path.Combine(Folder, "postgres");
        var real = File.ResolveLinkTarget(server, returnFinalTarget: true)?.FullName ?? server;
        return new[] { Folder, Path.GetDirectoryName(real)! }.Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);
    }

    /// <summary>
    /// Finds a program of any installation, such as <c>psql</c>, in <c>TIDEMARK_PG_BIN</c>, in <c>PATH</c>, or in the usual folders, where
    /// the newest version comes first. Returns <c>null</c> if it does not exist.
    /// </summary>
    public static string? FindProgram(SearchEnvironment environment, string program) =>
        new[] { environment.ChosenBin }.OfType<string>().Concat(environment.Path).Concat(environment.UsualFolders).SelectMany(Expand)
            .Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);

    /// <summary>
    /// Finds an installation of the given major version, or of any supported version. Returns <c>null</c> if it does not exist.
    /// </summary>
    /// <param name="environment">The folders to search.</param>
    /// <param name="major">The major version, or <c>null</c> for any supported version.</param>
    /// <param name="tried">Receives one line for each installation that was rejected.</param>
    /// <param name="cancellationToken">Cancels the search.</param>
    /// <exception cref="LocalClusterException"><c>TIDEMARK_PG_BIN</c> is set and is not such an installation.</exception>
    public static async Task<PostgresBinaries?> FindAsync(
        SearchEnvironment environment, int? major, ICollection<string> tried, CancellationToken cancellationToken)
    {
        if (environment.ChosenBin is { } chosen)
        {
            return await TryAsync(chosen, major, tried, user: null, cancellationToken).ConfigureAwait(false)
                ?? throw new LocalClusterException($"{SearchEnvironment.BinVariable} does not point to a suitable PostgreSQL installation: "
                    + $"{string.Join("; ", tried.DefaultIfEmpty($"{chosen} does not contain initdb and postgres"))}. "
                    + "Correct or unset the variable.");
        }

        foreach (var pattern in environment.Path.Concat(environment.UsualFolders).Concat(PackageCache.Places(environment.Cache)))
        {
            foreach (var folder in Expand(pattern))
            {
                if (await TryAsync(folder, major, tried, user: null, cancellationToken).ConfigureAwait(false) is { } found)
                    return found;
            }
        }

        return null;
    }

    /// <summary>Returns the installation in a folder. Returns <c>null</c> if it is missing or cannot be used.</summary>
    /// <param name="folder">The folder with <c>initdb</c> and <c>postgres</c>.</param>
    /// <param name="major">The major version, or <c>null</c> for any supported version.</param>
    /// <param name="tried">Receives the reason if the installation cannot be used.</param>
    /// <param name="user">The user that runs <c>postgres --version</c>, or <c>null</c> for the current user.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    public static async Task<PostgresBinaries?> TryAsync(
        string folder, int? major, ICollection<string> tried, ServerUser? user, CancellationToken cancellationToken)
    {
        if (!File.Exists(Path.Combine(folder, "initdb")) || !File.Exists(Path.Combine(folder, "postgres")))
            return null;

        var unread = new PostgresBinaries(folder, "", 0);
        var outcome = await ExternalProgram.RunAsync(unread.Describe(["postgres", "--version"], user), "", cancellationToken)
            .ConfigureAwait(false);
        var version = outcome.Output.Trim();
        if (!outcome.Succeeded || !FirstNumber().IsMatch(version))
        {
            tried.Add($"{folder}: postgres does not run: {outcome.Text}");
            return null;
        }

        var found = int.Parse(FirstNumber().Match(version).Value, CultureInfo.InvariantCulture);
        if (found == major || (major is null && found >= PostgresVersions.Oldest))
            return new PostgresBinaries(folder, version, found);
        tried.Add($"{folder}: version {found}");
        return null;
    }

    /// <summary>Describes a process that runs a program of this installation with its libraries, as the user of the servers.</summary>
    public System.Diagnostics.ProcessStartInfo Describe(IEnumerable<string> command, ServerUser? user, params IEnumerable<string> launcher)
    {
        var parts = command.ToList();
        parts[0] = Path.Combine(Folder, parts[0]);
        var description = ExternalProgram.Describe(launcher.Concat(user?.Prefix ?? []).Concat(parts));
        description.WorkingDirectory = "/";     // the current folder may be inaccessible to that user
        if (IncludesLibraries)
            description.Environment["LD_LIBRARY_PATH"] = Path.Combine(Root, "lib");
        return description;
    }

    // Returns the highest version first, in numeric order: 18 before 9.
    private static IEnumerable<string> Expand(string pattern)
    {
        if (!pattern.Contains('*', StringComparison.Ordinal))
            return [pattern];
        var folders = new List<string> { "/" };
        foreach (var part in pattern.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            folders = part.Contains('*', StringComparison.Ordinal)
                ? [.. folders.Where(Directory.Exists).SelectMany(folder => Directory.EnumerateDirectories(folder, part))]
                : [.. folders.Select(folder => Path.Combine(folder, part))];
        }

        return folders.OrderByDescending(
            folder => folder, StringComparer.Create(CultureInfo.InvariantCulture, CompareOptions.NumericOrdering));
    }

    [GeneratedRegex("[0-9]+")]
    private static partial Regex FirstNumber();
}
