using System.Diagnostics.CodeAnalysis;

namespace Tidemark.Testing;

/// <summary>
/// The right to change one kept cluster, held by one process at a time: a locked file beside the cluster's folder, which goes with the
/// lock. The kernel lets go of it when the process ends.
/// </summary>
internal sealed class ClusterLock : IDisposable
{
    /// <summary>Longest wait for another process.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    // A locked file cannot be read, but everybody sees how long it is: its length says who has it, and how often they had one. It is a
    // hole.
    private const int ProcessIdBits = 22;
    private const int MostMarks = 1024;

    // What .NET tells when somebody else has the file locked (EWOULDBLOCK). Any other error has nothing to do with somebody else.
    private static readonly int WouldBlock = OperatingSystem.IsMacOS() ? 35 : 11;

    private static int _taken;

    private readonly string _path;
    private readonly FileStream _file;
    private bool _isReleased;

    private ClusterLock(string path, FileStream file) => (_path, _file) = (path, file);

    /// <summary>Takes the lock of a cluster, when another process has let go of it.</summary>
    /// <exception cref="LocalClusterException">Another process does not let go of it.</exception>
    /// <exception cref="IOException">It cannot be taken at all: the disk is full, or not to be written to.</exception>
    public static async Task<ClusterLock> TakeAsync(string clusters, string name, CancellationToken cancellationToken)
    {
        var path = Path.Combine(clusters, $".{name}.lock");
        ClusterLock? taken = null;
        if (await Poll.UntilAsync(() => ValueTask.FromResult((taken = TryTake(path)) is not null), Patience, TimeProvider.System,
            cancellationToken).ConfigureAwait(false))
            return taken!;
        throw new LocalClusterException(
            $"The cluster {name} is in use: process {LengthOf(path) & ((1 << ProcessIdBits) - 1)} is changing it, or "
            + $"keeps it open, after {Patience.TotalSeconds} s still. Wait for it, or end it.");
    }

    public void Dispose()
    {
        // Twice, it would delete the file of the next owner.
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

        // Whoever had it may have deleted the file between our opening and our locking it: then we hold what nobody looks at.
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
