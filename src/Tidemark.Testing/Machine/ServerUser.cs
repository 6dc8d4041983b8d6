namespace Tidemark.Testing;

/// <summary>
/// The user that runs the servers: the current user, or an unprivileged user if the current user is root, because PostgreSQL refuses to
/// run as root.
/// </summary>
internal sealed record ServerUser(string Name, IReadOnlyList<string> Prefix, bool IsAnother)
{
    // In order of preference. "nobody" exists on common systems, "postgres" only where PostgreSQL was installed.
    private static readonly string[] Candidates = ["postgres", "nobody"];

    public static ServerUser Choose(SearchEnvironment environment)
    {
        if (!environment.IsRoot)
            return new ServerUser(environment.UserName, [], IsAnother: false);

        // name:password:uid:gid:…
        var accounts = File.ReadLines("/etc/passwd").Select(line => line.Split(':')).Where(fields => fields.Length > 3).ToList();
        var account = Candidates.Select(name => accounts.Find(fields => fields[0] == name)).FirstOrDefault(found => found is not null)
            ?? throw new LocalClusterException("PostgreSQL refuses to run as root, and neither of the users "
                + $"{string.Join(" and ", Candidates)} exists. Create one of them, or run as an unprivileged user.");
        var setpriv = environment.FindProgram("setpriv")
            ?? throw new LocalClusterException("PostgreSQL refuses to run as root, and setpriv (util-linux), which starts it as "
                + $"{account[0]}, is not in PATH. Install setpriv, or run as an unprivileged user.");
        return new ServerUser(account[0], [setpriv, "--reuid", account[2], "--regid", account[3], "--clear-groups", "--"], IsAnother: true);
    }

    /// <summary>Returns the command line that runs a command as this user.</summary>
    public IEnumerable<string> Run(params IEnumerable<string> command) => Prefix.Concat(command);

    /// <summary>
    /// Creates a folder that the current user owns, even if this user is another one. This user can then traverse the folder to reach its
    /// own files, but cannot replace the files that the current user reads, writes or runs.
    /// </summary>
    public void MakeOuterFolder(string path)
    {
        if (IsAnother)
            UnixFolder.MakePassable(path);
        else
            UnixFolder.MakePrivate(path);
    }

    /// <summary>
    /// Replaces a whole file in a folder that this user owns. Runs with this user's rights only, because this user may have put a link
    /// there.
    /// </summary>
    public async Task WriteAsync(string path, string text, CancellationToken cancellationToken)
    {
        if (!IsAnother)
        {
            await File.WriteAllTextAsync(path + ".new", text, cancellationToken).ConfigureAwait(false);
            File.Move(path + ".new", path, overwrite: true);
            return;
        }

        // The test prevents mv from moving the file into a folder of that name.
        const string script = "[ ! -d \"$1\" ] && cat >\"$1.new\" && mv -f \"$1.new\" \"$1\"";
        var description = ExternalProgram.Describe(Run(["/bin/sh", "-c", script, "sh", path]));
        description.WorkingDirectory = "/";
        var outcome = await ExternalProgram.RunAsync(description, text, cancellationToken).ConfigureAwait(false);
        if (!outcome.Succeeded)
            throw new LocalClusterException($"{path} could not be written as {Name}: {outcome.Text}");
    }

    /// <summary>Creates a folder that only this user can access.</summary>
    public async Task MakePrivateFolderAsync(string path, CancellationToken cancellationToken)
    {
        UnixFolder.MakePrivate(path);
        await GiveAsync(path, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Makes this user the owner of a file, or of a folder with all its contents.</summary>
    public async Task GiveAsync(string path, CancellationToken cancellationToken)
    {
        if (!IsAnother)
            return;
        var outcome = await ExternalProgram.RunAsync(["chown", "-R", $"{Name}:", path], cancellationToken).ConfigureAwait(false);
        if (!outcome.Succeeded)
            throw new LocalClusterException($"The owner of {path} could not be changed to {Name}: {outcome.Text}");
    }
}
