using System.Diagnostics.CodeAnalysis;

namespace Tidemark.Testing;

/// <summary>
/// The right to change one kept cluster, held by one process at a time. It is a locked file next to the cluster's folder, and is deleted
/// when the lock is released. The kernel releases the lock when the process ends.
/// </summary>
internal sealed class ClusterLock : IDisposable
{
    /// <summary>Longest wait for another process.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    // A locked file cannot be read, but its length is visible to every process. The length encodes the owner's process id and how many
    // locks that process has taken. The file is sparse.
    private const int ProcessIdBits = 22;
    private const int MostMarks = 1024;

    // The error code that .NET reports if another process holds the lock (EWOULDBLOCK). Any other error has another cause.
    private static readonly int WouldBlock = OperatingSystem.IsMacOS() ? 35 : 11;

    private static int _taken;

    private readonly string _path;
    private readonly FileStream _file;
    private bool _isReleased;

    private ClusterLock(string path, FileStream file) => (_path, _file) = (path, file);

    /// <summary>Takes the lock of a cluster. Waits up to 5 s for another process to release it.</summary>
    /// <exception cref="LocalClusterException">Another process still holds the lock after 5 s.</exception>
    /// <exception cref="IOException">The lock file cannot be written: the disk is full or read-only.</exception>
    public static async Task<ClusterLock> TakeAsync(string clusters, string name, CancellationToken cancellationToken)
    {
        var path = Path.Combine(clusters, $".{name}.lock");
        ClusterLock? taken = null;
        ValueTask<bool> TryAsync() => ValueTask.FromResult((taken = TryTake(path)) is not null);
        if (await Poll.UntilAsync(TryAsync, Patience, TimeProvider.System, cancellationToken).ConfigureAwait(false))
            return taken!;
        throw new LocalClusterException($"The cluster {name} is in use: after {Patience.TotalSeconds} s, "
            + $"process {LengthOf(path) & ((1 << ProcessIdBits) - 1)} still has it open. Wait for that process, or stop it.");
    }

    public void Dispose()
    {
        // A second call would delete the next owner's file.
        if (_isReleased)
            return;
        _isReleased = true;
        File.Delete(_path);
        _file.Dispose();
    }

    [SuppressMessage("Reliability", "CA2000", Justification = "The lock that is returned owns the file.")]
    private static ClusterLock? TryTake(string path)
    {
        FileStream file;
        try
        {
            file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException error) when (error.HResult == WouldBlock)
        {
            return null;
        }

        // The previous owner may have deleted the file after we opened it and before we locked it. Then other processes do not see our
        // lock.
        var isOurs = false;
        try
        {
            var mark = ((long)(Interlocked.Increment(ref _taken) % MostMarks) << ProcessIdBits) | (uint)Environment.ProcessId;
            file.SetLength(mark);
            isOurs = LengthOf(path) == mark;
            return isOurs ? new ClusterLock(path, file) : null;
        }
        finally
        {
            if (!isOurs)
                file.Dispose();
        }
    }

    private static long LengthOf(string path) => new FileInfo(path) is { Exists: true } file ? file.Length : 0;
}
