namespace Tidemark.Testing;

/// <summary>Folders with a mode. The only place that has to know that Windows has none.</summary>
internal static class UnixFolder
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private const UnixFileMode ReadableByAll = OwnerOnly | UnixFileMode.GroupRead | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    // As many as the kernel follows.
    private const int MostLinks = 40;

    /// <summary>A path without links, as the kernel tells of it. What does not exist of it stays as it is.</summary>
    public static string Resolve(string path)
    {
        var left = MostLinks;
        return Resolve(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)), ref left);
    }

    /// <summary>Makes a folder with mode 0700, as PostgreSQL demands of its data.</summary>
    public static void MakePrivate(string path) => Make(path, OwnerOnly);

    /// <summary>Makes a folder with mode 0711: who knows a name in it gets there.</summary>
    public static void MakePassable(string path) => Make(path, OwnerOnly | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);

    /// <summary>Makes a folder with mode 0755.</summary>
    public static void MakeReadable(string path) => Make(path, ReadableByAll);

    private static string Resolve(string path, ref int left)
    {
        if (Path.GetDirectoryName(path) is not { } parent)
            return path;
        parent = Resolve(parent, ref left);
        var whole = Path.Combine(parent, Path.GetFileName(path));
        return new DirectoryInfo(whole).LinkTarget is { } target && left-- > 0
            ? Resolve(Path.GetFullPath(target, parent), ref left) : whole;
    }

    private static void Make(string path, UnixFileMode mode)
    {
        if (OperatingSystem.IsWindows())
            throw new PlatformNotSupportedException("LocalCluster runs on Linux and macOS.");
        Directory.CreateDirectory(path);

        // Set, not only asked for at creation: there the umask would take its part.
        File.SetUnixFileMode(path, mode);
    }
}
