using System.Diagnostics;
using System.Globalization;

namespace Tidemark.Testing;

/// <summary>
/// One life of one server: its postmaster and all that the postmaster started. Either our child, or, in a cluster that is kept,
/// another process's, known by its <c>postmaster.pid</c>.
/// </summary>
internal sealed class ServerProcess : IDisposable
{
    // The redirection of the log is the shell's, so the log goes on when we are gone. Everything else is exec, so the process
    // that was started becomes the postmaster.
    private const string Script = "log=$1; shift; exec \"$@\" </dev/null 2>>\"$log\"";

    private readonly NodeFolder _folder;
    private readonly Process? _child;
    private readonly Task _childIsGone = Task.CompletedTask;
    private IReadOnlyList<int> _orphans = [];

    private ServerProcess(NodeFolder folder, int id) => (_folder, Id) = (folder, id);

    private ServerProcess(NodeFolder folder, Process child, long logOffset) : this(folder, child.Id)
    {
        _child = child;
        LogOffset = logOffset;
        _childIsGone = WaitForChildAsync(child);
    }

    public int Id { get; }

    /// <summary>Where this life begins in the log; for one that another process started, the beginning of the log.</summary>
    public long LogOffset { get; }

    public bool IsRunning => _child is { } child ? !_childIsGone.IsCompleted && !child.HasExited : _folder.IsServer(Id);

    public static ServerProcess Launch(NodeFolder folder, PostgresBinaries binaries, ServerUser user, string? setsid)
    {
        // A session of its own: a Ctrl-C in the terminal is for us, and we decide what becomes of the servers.
        string[] launcher = ["/bin/sh", "-c", Script, "sh", folder.Log, .. setsid is null ? [] : new[] { setsid }];
        var description = binaries.Describe(["postgres", "-D", folder.Data], user, launcher);
        description.RedirectStandardOutput = true;
        var offset = folder.LogLength();
        return new ServerProcess(folder, Process.Start(description)!, offset);
    }

    /// <summary>The server that runs in a folder, whoever started it; null when none does.</summary>
    public static ServerProcess? Find(NodeFolder folder) =>
        folder.ProcessId() is { } id && folder.IsServer(id) ? new ServerProcess(folder, id) : null;

    /// <summary>Sends a signal, such as INT.</summary>
    public async Task SignalAsync(string signal)
    {
        if (!IsRunning)
            return;
        string[] kill = ["/bin/sh", "-c", "kill -s \"$1\" \"$2\"", "sh", signal, Id.ToString(CultureInfo.InvariantCulture)];
        await Command.RunAsync(kill, CancellationToken.None).ConfigureAwait(false);
    }

    /// <summary>SIGKILL to the postmaster alone; its children notice and leave.</summary>
    public async Task KillAsync()
    {
        if (_child is { } child)
        {
            child.Kill();
            return;
        }

        // One that is stopped starts no more processes: its children are known when it dies.
        await SignalAsync("STOP").ConfigureAwait(false);
        _orphans = ProcessTable.ChildrenOf(Id);
        await SignalAsync("KILL").ConfigureAwait(false);
    }

    /// <summary>
    /// Whether, within the limit, the postmaster and every one of its children have ended, so that its memory can be used again.
    /// </summary>
    public async Task<bool> WaitUntilGoneAsync(TimeSpan limit, TimeProvider time, CancellationToken cancellationToken)
    {
        if (_child is null)
            return await Poll.UntilAsync(() => ValueTask.FromResult(!IsRunning && !_orphans.Any(IsOrphan)), limit, time, cancellationToken)
                .ConfigureAwait(false);
        try
        {
            await _childIsGone.WaitAsync(limit, time, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    /// <summary>Lets go of it, running or not.</summary>
    public void Dispose() => _child?.Dispose();

    // A child has its parent's command line until it writes its own.
    private bool IsOrphan(int id) =>
        _folder.IsServer(id) || ProcessTable.CommandLine(id).StartsWith("postgres: ", StringComparison.Ordinal);

    // PostgreSQL writes nothing to its standard output, but every process of a server inherits it:
    // its end is the end of the last of them, the one that a new server's shared memory has to wait for.
    private static async Task WaitForChildAsync(Process child)
    {
        await child.StandardOutput.BaseStream.CopyToAsync(Stream.Null).ConfigureAwait(false);
        await child.WaitForExitAsync().ConfigureAwait(false);
    }
}
