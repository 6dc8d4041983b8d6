using Tidemark.Testing;

namespace Tidemark.Matrix;

/// <summary>
/// PgBouncer from <c>PATH</c> or the usual folders. If it is not installed, apt-get downloads the package and its libraries into the cache
/// of Tidemark.Testing, without installing anything.
/// </summary>
/// <param name="Path">The program.</param>
/// <param name="Libraries">The folder of its libraries, or <c>null</c> if the system has them.</param>
internal sealed record PgBouncerProgram(string Path, string? Libraries)
{
    private static readonly SemaphoreSlim Gate = new(1);
    private static readonly string[] UsualFolders = ["/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin"];
    private static PgBouncerProgram? _found;

    /// <summary>Finds PgBouncer, or fetches it.</summary>
    /// <exception cref="InvalidOperationException">
    /// PgBouncer is missing and cannot be fetched; the message says what to install.
    /// </exception>
    public static async Task<PgBouncerProgram> ObtainAsync(CancellationToken cancellationToken)
    {
        await Gate.WaitAsync(cancellationToken);
        try
        {
            return _found ??= Find(SearchEnvironment.Current()) ?? await FetchAsync(SearchEnvironment.Current(), cancellationToken);
        }
        finally
        {
            Gate.Release();
        }
    }

    private static PgBouncerProgram? Find(SearchEnvironment environment)
    {
        var installed = environment.Path.Concat(UsualFolders)
            .Select(folder => System.IO.Path.Combine(folder, "pgbouncer")).FirstOrDefault(File.Exists);
        return installed is not null ? new PgBouncerProgram(installed, Libraries: null) : InFolder(Folder(environment));
    }

    private static string Folder(SearchEnvironment environment) => System.IO.Path.Combine(environment.Cache, "pgbouncer");

    private static PgBouncerProgram? InFolder(string folder)
    {
        var program = System.IO.Path.Combine(folder, "usr/sbin/pgbouncer");
        if (!File.Exists(program)) return null;
        var library = Directory.EnumerateFiles(System.IO.Path.Combine(folder, "usr/lib"), "libevent*", SearchOption.AllDirectories).First();
        return new PgBouncerProgram(program, System.IO.Path.GetDirectoryName(library));
    }

    private static async Task<PgBouncerProgram> FetchAsync(SearchEnvironment environment, CancellationToken cancellationToken)
    {
        UnixFolder.MakeReadable(environment.Cache);
        var partial = System.IO.Path.Combine(environment.Cache, $".pgbouncer-{Guid.NewGuid():N}");
        UnixFolder.MakeReadable(partial);
        try
        {
            // Uses temporary package lists: the machine's lists may be empty, as in a new container.
            var lists = Directory.CreateDirectory(System.IO.Path.Combine(partial, "lists")).FullName;
            string[] own = ["-qq", "-o", $"Dir::State::Lists={lists}", "-o", $"Dir::Cache={lists}"];
            await RunAsync(partial, ["apt-get", .. own, "-o", "APT::Update::Error-Mode=any", "update"], cancellationToken);
            var depends = await RunAsync(partial, ["apt-cache", .. own, "depends", "pgbouncer"], cancellationToken);

            // The names of libraries differ between releases (libevent-2.1-7, libevent-2.1-7t64), so they come from the package itself.
            const string mark = "  Depends: lib";
            var libraries = depends.Split('\n').Where(line => line.StartsWith(mark, StringComparison.Ordinal))
                .Select(line => line["  Depends: ".Length..].Trim()).Where(name => name is not "libc6");
            await RunAsync(partial, ["apt-get", .. own, "download", "pgbouncer", .. libraries], cancellationToken);
            foreach (var archive in Directory.EnumerateFiles(partial, "*.deb").ToList())
            {
                await RunAsync(partial, ["dpkg", "-x", archive, partial], cancellationToken);
                File.Delete(archive);
            }

            Directory.Delete(lists, recursive: true);
            if (!Directory.Exists(Folder(environment))) Directory.Move(partial, Folder(environment));
        }
        catch (IOException) when (Directory.Exists(Folder(environment)))
        {
            // Another process fetched the same package first.
        }
        finally
        {
            if (Directory.Exists(partial)) Directory.Delete(partial, recursive: true);
        }

        return InFolder(Folder(environment)) ?? throw Missing("the package holds no usr/sbin/pgbouncer");
    }

    private static async Task<string> RunAsync(string folder, string[] command, CancellationToken cancellationToken)
    {
        if (SearchEnvironment.Current().FindProgram(command[0]) is null) throw Missing($"{command[0]} is not in PATH");
        var description = ExternalProgram.Describe(command);
        description.WorkingDirectory = folder;
        var outcome = await ExternalProgram.RunAsync(description, "", cancellationToken);
        return outcome.Succeeded ? outcome.Output : throw Missing($"{string.Join(' ', command)}: {outcome.Text}");
    }

    private static InvalidOperationException Missing(string reason) => new($"""
        PgBouncer is not on this machine and could not be fetched: {reason}
        Install it and run the tests again:
          Debian, Ubuntu     apt-get install pgbouncer
          Fedora             dnf install pgbouncer
          macOS              brew install pgbouncer
        """);
}
