using System.Globalization;
using System.Text.RegularExpressions;

namespace Tidemark.Testing;

/// <summary>One installation of PostgreSQL.</summary>
/// <param name="Folder">Holds <c>initdb</c> and <c>postgres</c>.</param>
/// <param name="Version">What <c>postgres --version</c> says.</param>
/// <param name="Major">The first number in it.</param>
internal sealed partial record PostgresBinaries(string Folder, string Version, int Major)
{
    /// <summary>The folder that <c>bin</c> is in.</summary>
    private string Root => Path.GetDirectoryName(Folder)!;

    // The package of npm, and only that, brings libraries of the system with it.
    private bool BringsLibraries => File.Exists(Path.Combine(Root, PostgresPackages.LinkList));

    /// <summary>
    /// A program of it that may be missing, since npm's package holds no more than a server needs. Where the folder holds links, what they
    /// lead to may have more beside it.
    /// </summary>
    public string? FindProgram(string program)
    {
        var server = Path.Combine(Folder, "postgres");
        var real = File.ResolveLinkTarget(server, returnFinalTarget: true)?.FullName ?? server;
        return new[] { Folder, Path.GetDirectoryName(real)! }.Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);
    }

    /// <summary>
    /// A program of any installation, such as <c>psql</c>: where <c>TIDEMARK_PG_BIN</c> says, in <c>PATH</c>, or the newest beside it; null
    /// without one.
    /// </summary>
    public static string? FindProgram(SearchEnvironment environment, string program) =>
        new[] { environment.ChosenBin }.OfType<string>().Concat(environment.Path).Concat(environment.UsualFolders).SelectMany(Expand)
            .Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);

    /// <summary>Finds an installation of the wanted major version, or of any supported one; null without one.</summary>
    /// <param name="environment">Where to look.</param>
    /// <param name="major">Wanted major version; null for any.</param>
    /// <param name="tried">Receives a line for each place that holds something else, or nothing.</param>
    /// <param name="cancellationToken">Ends the search.</param>
    /// <exception cref="LocalClusterException"><c>TIDEMARK_PG_BIN</c> is set and is not such an installation.</exception>
    public static async Task<PostgresBinaries?> FindAsync(
        SearchEnvironment environment, int? major, ICollection<string> tried, CancellationToken cancellationToken)
    {
        if (environment.ChosenBin is { } chosen)
        {
            return await TryAsync(chosen, major, tried, user: null, cancellationToken).ConfigureAwait(false)
                ?? throw new LocalClusterException($"{SearchEnvironment.BinVariable} decides where PostgreSQL is, and there it is not: "
                    + $"{string.Join("; ", tried.DefaultIfEmpty($"{chosen} holds no initdb and postgres"))}. Correct it, or unset it.");
        }

        foreach (var position in environment.Path.Concat(environment.UsualFolders).Concat(PostgresPackages.Places(environment.Cache)))
        {
            foreach (var folder in Expand(position))
            {
                if (await TryAsync(folder, major, tried, user: null, cancellationToken).ConfigureAwait(false) is { } found)
                    return found;
            }
        }

        return null;
    }

    /// <summary>The installation in a folder; null, with the reason in <paramref name="tried"/>, if it cannot be used.</summary>
    /// <param name="folder">Holds <c>initdb</c> and <c>postgres</c>.</param>
    /// <param name="major">Wanted major version; null for any supported one.</param>
    /// <param name="tried">Receives the reason.</param>
    /// <param name="user">Who asks it for its version; null for us.</param>
    /// <param name="cancellationToken">Ends the question.</param>
    public static async Task<PostgresBinaries?> TryAsync(
        string folder, int? major, ICollection<string> tried, ServerUser? user, CancellationToken cancellationToken)
    {
        if (!File.Exists(Path.Combine(folder, "initdb")) || !File.Exists(Path.Combine(folder, "postgres")))
            return null;

        var unread = new PostgresBinaries(folder, "", 0);
        var outcome = await Command.RunAsync(unread.Describe(["postgres", "--version"], user), "", cancellationToken).ConfigureAwait(false);
        var version = outcome.Output.Trim();
        if (!outcome.Succeeded || !FirstNumber().IsMatch(version))
        {
            tried.Add($"{folder}: postgres does not run: {outcome.Text}");
            return null;
        }

        var found = int.Parse(FirstNumber().Match(version).Value, CultureInfo.InvariantCulture);
        if (found == major || (major is null && found >= LocalClusterOptions.OldestVersion))
            return new PostgresBinaries(folder, version, found);
        tried.Add($"{folder}: version {found}");
        return null;
    }

    /// <summary>A program of this installation, with its libraries, run as the user of the servers.</summary>
    public System.Diagnostics.ProcessStartInfo Describe(IEnumerable<string> command, ServerUser? user, params IEnumerable<string> launcher)
    {
        var parts = command.ToList();
        parts[0] = Path.Combine(Folder, parts[0]);
        var description = Command.Describe(launcher.Concat(user?.Prefix ?? []).Concat(parts));
        description.WorkingDirectory = "/";     // ours may be closed to that user
        if (BringsLibraries)
            description.Environment["LD_LIBRARY_PATH"] = Path.Combine(Root, "lib");
        return description;
    }

    // Highest version first: 18 before 9, so by number and not by letter.
    private static IEnumerable<string> Expand(string position)
    {
        if (!position.Contains('*', StringComparison.Ordinal))
            return [position];
        var folders = new List<string> { "/" };
        foreach (var part in position.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            folders = part.Contains('*', StringComparison.Ordinal)
                ? [.. folders.Where(Directory.Exists).SelectMany(folder => Directory.EnumerateDirectories(folder, part))]
                : [.. folders.Select(folder => Path.Combine(folder, part))];
        }

        return folders.OrderByDescending(folder => folder,
            StringComparer.Create(CultureInfo.InvariantCulture, CompareOptions.NumericOrdering));
    }

    [GeneratedRegex("[0-9]+")]
    private static partial Regex FirstNumber();
}
