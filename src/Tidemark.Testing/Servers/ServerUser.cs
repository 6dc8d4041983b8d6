namespace Tidemark.Testing;

/// <summary>
/// The user servers run as: whoever we are, or, because PostgreSQL refuses to run as root, an unprivileged user when we are root.
/// </summary>
internal sealed record ServerUser(string Name, IReadOnlyList<string> Prefix, bool IsAnother)
{
    // In the order of preference; both exist on the usual systems, the first where PostgreSQL was ever installed.
    private static readonly string[] Candidates = ["postgres", "nobody"];

    public static ServerUser Choose(SearchEnvironment environment)
    {
        if (!environment.IsRoot)
            return new ServerUser(environment.UserName, [], IsAnother: false);

        // name:password:uid:gid:…
        var accounts = File.ReadLines("/etc/passwd").Select(line => line.Split(':')).Where(fields => fields.Length > 3).ToList();
        var account = Candidates.Select(name => accounts.Find(fields => fields[0] == name)).FirstOrDefault(found => found is not null)
            ?? throw new LocalClusterException("PostgreSQL refuses to run as root, and neither of the users "
                + $"{string.Join(" and ", Candidates)} exists to run it as. Make one, or run as a normal user.");
        var setpriv = environment.FindProgram("setpriv")
            ?? throw new LocalClusterException("PostgreSQL refuses to run as root, and setpriv (util-linux), which starts it as "
                + $"{account[0]}, is not in PATH. Install it, or run as a normal user.");
        return new ServerUser(account[0], [setpriv, "--reuid", account[2], "--regid", account[3], "--clear-groups", "--"], IsAnother: true);
    }

    /// <summary>The command, run as this user.</summary>
    public IEnumerable<string> Run(params IEnumerable<string> command) => Prefix.Concat(command);

    /// <summary>
    /// Makes a folder that is ours, also when this user is another: it may pass to what it is given there, and put nothing of its own in
    /// the
    /// place of what we read, write and run.
    /// </summary>
    public void MakeOuterFolder(string path)
    {
        if (IsAnother)
            UnixFolder.MakePassable(path);
        else
            UnixFolder.MakePrivate(path);
    }

    /// <summary>
    /// Replaces a file as a whole, in a folder of this user's. With no more than this user's rights: it may have put a link there that
    /// leads elsewhere.
    /// </summary>
    public async Task WriteAsync(string path, string text, CancellationToken cancellationToken)
    {
        if (!IsAnother)
        {
            await File.WriteAllTextAsync(path + ".new", text, cancellationToken).ConfigureAwait(false);
            File.Move(path + ".new", path, overwrite: true);
            return;
        }

        // Never into a folder of that name, as mv would.
        const string script = "[ ! -d \"$1\" ] && cat >\"$1.new\" && mv -f \"$1.new\" \"$1\"";
        var description = Command.Describe(Run(["/bin/sh", "-c", script, "sh", path]));
        description.WorkingDirectory = "/";
        var outcome = await Command.RunAsync(description, text, cancellationToken).ConfigureAwait(false);
        if (!outcome.Succeeded)
            throw new LocalClusterException($"{path} could not be written as {Name}: {outcome.Text}");
    }

    /// <summary>Makes a folder that is this user's and nobody else's.</summary>
    public async Task MakePrivateFolderAsync(string path, CancellationToken cancellationToken)
    {
        UnixFolder.MakePrivate(path);
        await GiveAsync(path, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Makes this user the owner of a file, or of a folder with all that is in it.</summary>
    public async Task GiveAsync(string path, CancellationToken cancellationToken)
    {
        if (!IsAnother)
            return;
        var outcome = await Command.RunAsync(["chown", "-R", $"{Name}:", path], cancellationToken).ConfigureAwait(false);
        if (!outcome.Succeeded)
            throw new LocalClusterException($"{path} could not be given to {Name}: {outcome.Text}");
    }
}
