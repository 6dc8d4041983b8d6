using System.Diagnostics.CodeAnalysis;

namespace Tidemark.Testing;

/// <summary>
/// The folder of one cluster, with a lock that says that its owner lives, and a watchdog for when it does not. A cluster that is
/// kept has a watchdog only until it is complete, and a lock while somebody changes it. Never leaves a folder behind that
/// another process could not tell from one in use.
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

    /// <summary>Whether servers and folder stay when this is disposed of.</summary>
    public bool IsKept => _watchdog is null;

    [SuppressMessage("Reliability", "CA2000", Justification = "The folder that is returned owns the lock and the watchdog.")]
    public static async Task<ClusterFolder> CreateAsync(
        LocalClusterOptions options, SearchEnvironment environment, ServerUser user, CancellationToken cancellationToken)
    {
        if (options.Name is { } kept)
            return await KeptFolder.CreateAsync(kept, options, environment, user, cancellationToken).ConfigureAwait(false);

        var parent = options.Directory is { } chosen ? System.IO.Path.GetFullPath(chosen)
            : HasRoom(options.Replicas + 2) ? RamDisk
            : System.IO.Path.GetTempPath();
        var prefix = $"tidemark-{environment.UserName}-";
        await SweepAsync(parent, prefix).ConfigureAwait(false);

        // Under its final name a folder is always locked, or without an owner; until the lock is held it has another name.
        var name = $"{prefix}{Guid.NewGuid().ToString("N")[..8]}";
        var unborn = System.IO.Path.Combine(parent, "." + name);
        user.MakeOuterFolder(unborn);
        var ownership = new FileStream(System.IO.Path.Combine(unborn, LockFile), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
        var path = System.IO.Path.Combine(parent, name);
        Directory.Move(unborn, path);
        return new ClusterFolder(path, ownership, Watchdog.Start(path, environment.FindProgram("setsid")));
    }

    /// <summary>From now on servers and folder stay, whatever becomes of us.</summary>
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
                await Watchdog.CleanAsync(Path).ConfigureAwait(false);  // somebody ended the watchdog
            watchdog.Dispose();
        }

        _ownership.Dispose();
    }

    // What is left when even the watchdog was killed, or the machine went down.
    private static async Task SweepAsync(string parent, string prefix)
    {
        foreach (var folder in Directory.EnumerateDirectories(parent, prefix + "*").Where(IsAbandoned))
            await Watchdog.CleanAsync(folder).ConfigureAwait(false);
    }

    // The lock ends with its process. A folder that has no owner never gets one again, so the answer stays true.
    private static bool IsAbandoned(string folder)
    {
        try
        {
            using var taken = new FileStream(System.IO.Path.Combine(folder, LockFile), FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            return true;
        }
        catch (FileNotFoundException)
        {
            return true;    // a removal that was cut short
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static bool HasRoom(int nodes) =>
        Directory.Exists(RamDisk) && new DriveInfo(RamDisk).AvailableFreeSpace > nodes * RoomPerNodeBytes;
}
