using System.Security.Cryptography;
using System.Text;

namespace Tidemark.Testing;

/// <summary>
/// The data directory that every node starts from. It is created once with <c>initdb</c> for each version and database, kept in the
/// cache, and copied. A cold copy of it plus <c>standby.signal</c> is a standby.
/// </summary>
internal sealed class ClusterTemplate(SearchEnvironment environment, PostgresBinaries binaries, ServerUser user, string database)
{
    private static readonly string[] Arguments =
    [
        "-U", "postgres", "-A", "trust", "--locale=C", "--encoding=UTF8", "--no-sync", "--wal-segsize=1", "--data-checksums",
        "--no-instructions",
    ];

    // Version of what this class does to the result of initdb. Increment it with each change: otherwise old templates stay in use.
    private const int Recipe = 1;

    private string Name
    {
        get
        {
            var ingredients = string.Join('\n', [binaries.Folder, binaries.Version, user.Name, database, Recipe, .. Arguments]);
            return $"{binaries.Major}-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(ingredients)))[..16]}";
        }
    }

    /// <summary>Returns the path of the template. Creates the template if it does not exist.</summary>
    public async Task<string> EnsureAsync(Action<string> report, CancellationToken cancellationToken)
    {
        var folder = Path.Combine(environment.Cache, "templates");
        var target = Path.Combine(folder, Name);
        if (Directory.Exists(target))
            return target;

        report("Creating a template with initdb (once)");
        UnixFolder.MakeReadable(environment.Cache);
        UnixFolder.MakeReadable(folder);
        var partial = Path.Combine(folder, $".{Name}-{Guid.NewGuid():N}");
        try
        {
            await user.MakePrivateFolderAsync(partial, cancellationToken).ConfigureAwait(false);
            await RunAsync(["initdb", "-D", partial, .. Arguments], "", cancellationToken).ConfigureAwait(false);
            string[] singleUser = ["postgres", "--single", "-D", partial, "-c", "fsync=off", "postgres"];
            await RunAsync(singleUser, $"CREATE DATABASE \"{database}\"\n", cancellationToken).ConfigureAwait(false);
            await IncludeSettingsAsync(Path.Combine(partial, "postgresql.conf"), cancellationToken).ConfigureAwait(false);
            if (!Directory.Exists(target))
                Directory.Move(partial, target);
        }
        catch (IOException) when (Directory.Exists(target))
        {
            // Another process created the same template first.
        }
        finally
        {
            if (Directory.Exists(partial))
                Directory.Delete(partial, recursive: true);
        }

        return target;
    }

    // Runs as the user of the servers, who owns the folder.
    private async Task IncludeSettingsAsync(string file, CancellationToken cancellationToken)
    {
        const string script = "printf \"\\ninclude '%s'\\n\" \"$2\" >>\"$1\"";
        var command = user.Run(["/bin/sh", "-c", script, "sh", file, NodeFolder.SettingsFile]);
        var outcome = await ExternalProgram.RunAsync(command, cancellationToken).ConfigureAwait(false);
        if (!outcome.Succeeded)
            throw new LocalClusterException($"{file} could not be written as {user.Name}: {outcome.Text}");
    }

    private async Task RunAsync(IReadOnlyList<string> command, string input, CancellationToken cancellationToken)
    {
        var outcome = await ExternalProgram.RunAsync(binaries.Describe(command, user), input, cancellationToken).ConfigureAwait(false);
        if (!outcome.Succeeded)
            throw new LocalClusterException(
                $"{string.Join(' ', command)} failed (run as {user.Name} from {binaries.Folder}):\n{outcome.Text}");
    }
}
