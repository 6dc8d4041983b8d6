using System.Diagnostics.CodeAnalysis;

namespace Tidemark.Testing;

/// <summary>
/// The folder of one cluster. A lock shows that the owning process is alive; a watchdog cleans up when that process ends. A kept
/// cluster has a watchdog only until it is complete, and a lock while a process changes it. A folder that is left over can always
/// be distinguished from one in use.
/// </summary>
internal sealed class ClusterFolder : IAsyncDisposable
{
    private const string RamDisk = "/dev/shm";
    private const string LockFile = "owner.lock";
    private const long RoomPerNodeBytes = 128L << 20;

    private readonly IDisposable _ownership;
    private Watchdog? _watchdog;

    internal ClusterFolder(string path, IDisposable ownership, Watchdog? watchdog) =>
        (Path, _ownership, _watchdog) = (path, ownership, watchdog);

    public string Path { get; }

    /// <summary>Whether servers and folder remain after disposal.</summary>
    public bool IsKept => _watchdog is null;

    [SuppressMessage("Reliability", "CA2000", Justification = "The folder that is returned owns the lock and the watchdog.")]
    public static async Task<ClusterFolder> CreateAsync(
        LocalClusterOptions options, SearchEnvironment environment, ServerUser user)
    {
        var parent = options.Directory is { } chosen ? System.IO.Path.GetFullPath(chosen)
            : HasRoom(options.Replicas + 2) ? RamDisk
            : System.IO.Path.GetTempPath();
        var prefix = $"tidemark-{environment.UserName}-";
        await SweepAsync(parent, prefix).ConfigureAwait(false);

        // A folder gets its final name only after its lock is held. A folder with a final name is therefore either locked or abandoned.
        var name = $"{prefix}{Guid.NewGuid().ToString("N")[..8]}";
        var provisional = System.IO.Path.Combine(parent, "." + name);
        user.MakeOuterFolder(provisional);
        var lockPath = System.IO.Path.Combine(provisional, LockFile);
        var ownership = new FileStream(lockPath, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
        var path = System.IO.Path.Combine(parent, name);
        Directory.Move(provisional, path);
        return new ClusterFolder(path, ownership, Watchdog.Start(path, environment.FindProgram("setsid")));
    }

    /// <summary>Keeps servers and folder from now on, even if this process ends.</summary>
    public async Task KeepAsync()
    {
        await _watchdog!.KeepAsync().ConfigureAwait(false);
        _watchdog.Dispose();
        _watchdog = null;
    }

    public async ValueTask DisposeAsync()
    {
        if (_watchdog is { } watchdog)
        {
            await watchdog.FinishAsync().ConfigureAwait(false);
            if (Directory.Exists(Path))
                await Watchdog.CleanAsync(Path).ConfigureAwait(false);  // the watchdog was killed
            watchdog.Dispose();
        }

        _ownership.Dispose();
    }

    // Removes folders that are left over because the watchdog was killed too, or the machine went down.
    private static async Task SweepAsync(string parent, string prefix)
    {
        foreach (var folder in Directory.EnumerateDirectories(parent, prefix + "*").Where(IsAbandoned))
            await Watchdog.CleanAsync(folder).ConfigureAwait(false);
    }

    // The kernel releases the lock when its process ends. An abandoned folder never gets a new owner, so the result stays valid.
    private static bool IsAbandoned(string folder)
    {
        try
        {
            using var taken = new FileStream(System.IO.Path.Combine(folder, LockFile), FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            return true;
        }
        catch (FileNotFoundException)
        {
            return true;    // an interrupted removal
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static bool HasRoom(int nodes) =>
        Directory.Exists(RamDisk) && new DriveInfo(RamDisk).AvailableFreeSpace > nodes * RoomPerNodeBytes;
}
