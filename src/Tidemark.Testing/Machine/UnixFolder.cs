namespace Tidemark.Testing;

/// <summary>Creates folders with a mode, and resolves links. The only code that depends on Windows having no modes.</summary>
internal static class UnixFolder
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private const UnixFileMode ReadableByAll = OwnerOnly | UnixFileMode.GroupRead | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    // The limit of the Linux kernel.
    private const int MostLinks = 40;

    /// <summary>Returns a path without links, as the kernel reports it. Parts that do not exist are unchanged.</summary>
    public static string Resolve(string path)
    {
        var left = MostLinks;
        return Resolve(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)), ref left);
    }

    /// <summary>Creates a folder with mode 0700, as PostgreSQL requires for its data directory.</summary>
    public static void MakePrivate(string path) => Make(path, OwnerOnly);

    /// <summary>Creates a folder with mode 0711: other users can open entries by name, but cannot list them.</summary>
    public static void MakePassable(string path) => Make(path, OwnerOnly | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);

    /// <summary>Creates a folder with mode 0755.</summary>
    public static void MakeReadable(string path) => Make(path, ReadableByAll);

    private static string Resolve(string path, ref int left)
    {
        if (Path.GetDirectoryName(path) is not { } parent)
            return path;
        parent = Resolve(parent, ref left);
        var whole = Path.Combine(parent, Path.GetFileName(path));
        return new DirectoryInfo(whole).LinkTarget is { } target && left-- > 0
            ? Resolve(Path.GetFullPath(target, parent), ref left)
            : whole;
    }

    private static void Make(string path, UnixFileMode mode)
    {
        if (OperatingSystem.IsWindows())
            throw new PlatformNotSupportedException("LocalCluster runs on Linux and macOS.");
        Directory.CreateDirectory(path);

        // Set explicitly, because the umask reduces the mode that is requested at creation.
        File.SetUnixFileMode(path, mode);
    }
}
