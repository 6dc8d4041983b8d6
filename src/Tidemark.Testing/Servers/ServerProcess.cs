using System.Diagnostics;
using System.Globalization;

namespace Tidemark.Testing;

/// <summary>
/// One run of one server, from start to end: its postmaster and all processes that the postmaster started. The postmaster is a child of
/// this process. In a kept cluster it may also have been started by another process, and is then identified by its <c>postmaster.pid</c>.
/// </summary>
internal sealed class ServerProcess : IDisposable
{
    // The shell redirects the log, so logging continues after this process ends. The shell then uses exec, so the started process becomes
    // the postmaster.
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

    /// <summary>
    /// The offset in the log at which this run begins. For a server that another process started, the beginning of the log.
    /// </summary>
    public long LogOffset { get; }

    public bool IsRunning => _child is { } child ? !_childIsGone.IsCompleted && !child.HasExited : _folder.IsServer(Id);

    public static ServerProcess Launch(NodeFolder folder, PostgresBinaries binaries, ServerUser user, string? setsid)
    {
        // In a session of its own: Ctrl-C in the terminal then reaches only this process, which decides what happens to the servers.
        string[] launcher = ["/bin/sh", "-c", Script, "sh", folder.Log, .. setsid is null ? [] : new[] { setsid }];
        var description = binaries.Describe(["postgres", "-D", folder.Data], user, launcher);
        description.RedirectStandardOutput = true;
        var offset = folder.LogLength();
        return new ServerProcess(folder, Process.Start(description)!, offset);
    }

    /// <summary>Returns the server that runs in a folder, whichever process started it, or <c>null</c> if none runs.</summary>
    public static ServerProcess? Find(NodeFolder folder) =>
        folder.ProcessId() is { } id && folder.IsServer(id) ? new ServerProcess(folder, id) : null;

    /// <summary>Sends a signal, such as INT, if the server runs.</summary>
    public async Task SignalAsync(string signal)
    {
        if (!IsRunning)
            return;
        string[] kill = ["/bin/sh", "-c", "kill -s \"$1\" \"$2\"", "sh", signal, Id.ToString(CultureInfo.InvariantCulture)];
        await ExternalProgram.RunAsync(kill, CancellationToken.None).ConfigureAwait(false);
    }

    /// <summary>Sends SIGKILL to the postmaster only. Its children detect that and end.</summary>
    public async Task KillAsync()
    {
        if (_child is { } child)
        {
            child.Kill();
            return;
        }

        // A stopped postmaster starts no more processes, so the list of its children is complete when it is killed.
        await SignalAsync("STOP").ConfigureAwait(false);
        _orphans = ProcessTable.ChildrenOf(Id);
        await SignalAsync("KILL").ConfigureAwait(false);
    }

    /// <summary>
    /// Waits until the postmaster and all its children have ended, so that its shared memory can be reused. Returns <c>false</c> if they
    /// have not ended within the limit.
    /// </summary>
    public async Task<bool> WaitUntilGoneAsync(TimeSpan limit, TimeProvider time, CancellationToken cancellationToken)
    {
        if (_child is null)
            return await Poll.UntilAsync(
                () => ValueTask.FromResult(!IsRunning && !_orphans.Any(IsOrphan)), limit, time, cancellationToken).ConfigureAwait(false);
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

    /// <summary>Releases the process handle. The server may still run.</summary>
    public void Dispose() => _child?.Dispose();

    // A child process has its parent's command line until it sets its own.
    private bool IsOrphan(int id) =>
        _folder.IsServer(id) || ProcessTable.CommandLine(id).StartsWith("postgres: ", StringComparison.Ordinal);

    // PostgreSQL writes nothing to its standard output, but every process of a server inherits it. The stream therefore ends when the last
    // process ends, and only then can a new server use the shared memory.
    private static async Task WaitForChildAsync(Process child)
    {
        await child.StandardOutput.BaseStream.CopyToAsync(Stream.Null).ConfigureAwait(false);
        await child.WaitForExitAsync().ConfigureAwait(false);
    }
}
