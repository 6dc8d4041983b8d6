using System.Diagnostics;
using System.Globalization;

namespace Tidemark.Testing;

/// <summary>One life of one server: its postmaster and all that the postmaster started.</summary>
internal sealed class ServerProcess : IDisposable
{
    // The redirection of the log is the shell's, so the log goes on when we are gone. Everything else is exec, so the process
    // that was started becomes the postmaster.
    private const string Script = "log=$1; shift; exec \"$@\" </dev/null 2>>\"$log\"";

    private readonly Process _process;

    private ServerProcess(Process process, long logOffset)
    {
        _process = process;
        Id = process.Id;
        LogOffset = logOffset;
        WhenGone = WaitUntilGoneAsync();
    }

    public int Id { get; }

    /// <summary>Where this life begins in the log.</summary>
    public long LogOffset { get; }

    /// <summary>Completes when the postmaster and every one of its children have ended, so that its memory can be used again.</summary>
    public Task WhenGone { get; }

    public bool IsRunning => !WhenGone.IsCompleted && !_process.HasExited;

    public static ServerProcess Launch(NodeFolder folder, PostgresBinaries binaries, ServerUser user, string? setsid)
    {
        // A session of its own: a Ctrl-C in the terminal is for us, and we decide what becomes of the servers.
        string[] launcher = ["/bin/sh", "-c", Script, "sh", folder.Log, .. setsid is null ? [] : new[] { setsid }];
        var description = binaries.Describe(["postgres", "-D", folder.Data], user, launcher);
        description.RedirectStandardOutput = true;
        var offset = folder.LogLength();
        return new ServerProcess(Process.Start(description)!, offset);
    }

    /// <summary>Sends a signal, such as INT.</summary>
    public async Task SignalAsync(string signal)
    {
        if (!IsRunning)
            return;
        string[] kill = ["/bin/sh", "-c", "kill -s \"$1\" \"$2\"", "sh", signal, Id.ToString(CultureInfo.InvariantCulture)];
        await Command.RunAsync(kill, CancellationToken.None).ConfigureAwait(false);
    }

    /// <summary>SIGKILL to the postmaster alone; its children notice and leave.</summary>
    public void Kill() => _process.Kill();

    public void Dispose() => _process.Dispose();

    // PostgreSQL writes nothing to its standard output, but every process of a server inherits it:
    // its end is the end of the last of them, the one that a new server's shared memory has to wait for.
    private async Task WaitUntilGoneAsync()
    {
        await _process.StandardOutput.BaseStream.CopyToAsync(Stream.Null).ConfigureAwait(false);
        await _process.WaitForExitAsync().ConfigureAwait(false);
    }
}
