namespace Tidemark.Testing;

/// <summary>Folders with a mode. The only place that has to know that Windows has none.</summary>
internal static class UnixFolder
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private const UnixFileMode ReadableByAll = OwnerOnly | UnixFileMode.GroupRead | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    /// <summary>Makes a folder with mode 0700, as PostgreSQL demands of its data.</summary>
    public static void MakePrivate(string path) => Make(path, OwnerOnly);

    /// <summary>Makes a folder with mode 0755.</summary>
    public static void MakeReadable(string path) => Make(path, ReadableByAll);

    private static void Make(string path, UnixFileMode mode)
    {
        if (OperatingSystem.IsWindows())
            throw new PlatformNotSupportedException("LocalCluster runs on Linux and macOS.");
        Directory.CreateDirectory(path);

        // Set, not only asked for at creation: there the umask would take its part.
        File.SetUnixFileMode(path, mode);
    }
}
