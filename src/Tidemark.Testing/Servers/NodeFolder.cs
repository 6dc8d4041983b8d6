using System.Globalization;

namespace Tidemark.Testing;

/// <summary>The files of one node: its data directory, its log, its settings.</summary>
internal sealed class NodeFolder(string clusterFolder, string name)
{
    /// <summary>Included by <c>postgresql.conf</c>.</summary>
    public const string SettingsFile = "tidemark.conf";

    // What is read of a log, from its end: nothing ever shortens the log of a cluster that is kept.
    private const int MostLogBytes = 64 << 10;

    // Lines of postmaster.pid, as in PostgreSQL's pidfile.h.
    private const int PidLine = 0;
    private const int StatusLine = 7;

    public string Data { get; } = Path.Combine(clusterFolder, name);

    public string Log { get; } = Path.Combine(clusterFolder, name + ".log");

    public string Settings => Path.Combine(Data, SettingsFile);

    /// <summary>Makes a server a standby, and is deleted by its promotion.</summary>
    public string StandbySignal => Path.Combine(Data, "standby.signal");

    /// <summary>The latest timeline whose history the node knows, in the eight digits of a file's name.</summary>
    public string LastTimeline() => Directory.EnumerateFiles(Wal, "*.history")
        .Select(file => Path.GetFileNameWithoutExtension(file)).Append("00000001").Max(StringComparer.Ordinal)!;

    /// <summary>Whether there is a server's data at all, and no sign that it is a standby's.</summary>
    public bool IsPrimary => Directory.Exists(Wal) && !File.Exists(StandbySignal);

    private string Wal => Path.Combine(Data, "pg_wal");

    private string PidFile => Path.Combine(Data, "postmaster.pid");

    /// <summary>The process that wrote <c>postmaster.pid</c>, alive or not; null without the file.</summary>
    public int? ProcessId() =>
        ReadPidFile() is { Length: > PidLine } lines && int.TryParse(lines[PidLine], CultureInfo.InvariantCulture, out var id) ? id : null;

    /// <summary>
    /// Whether a process is the postmaster of this folder: ids are used again. By its command line; or, where the machine tells, by its
    /// working
    /// folder, for one that somebody started by hand, with the folder spelled in another way.
    /// </summary>
    public bool IsServer(int processId)
    {
        var command = ProcessTable.CommandLine(processId);
        return command.Contains($"postgres -D {Data} ", StringComparison.Ordinal)
            || (Path.GetFileName(command.Split(' ')[0]) is "postgres" or "postmaster"
                && ProcessTable.WorkingFolder(processId) == UnixFolder.Resolve(Data));
    }

    /// <summary>
    /// Deletes the <c>postmaster.pid</c> of a server that is gone and whose id is not: another process has it now, or nobody has taken note
    /// of its end, as
    /// in a container whose first process does not. PostgreSQL would refuse to start. In all other cases the file is PostgreSQL's own to
    /// judge: it leads to
    /// memory that may still be in use.
    /// </summary>
    public void ForgetGoneServer()
    {
        if (ProcessId() is not { } id || IsServer(id)) return;
        var isTaken = ProcessTable.CommandLine(id).Trim().Length > 0;
        if (isTaken
            || (ProcessTable.HasEnded(id)
            && !ProcessTable.ServersUnder(clusterFolder).Any(other => ProcessTable.WorkingFolder(other) == UnixFolder.Resolve(Data))))
            File.Delete(PidFile);
    }

    /// <summary>Whether a server accepts connections, by what it wrote about itself: <c>pg_ctl</c> goes by this too.</summary>
    public bool IsAccepting(int processId) => ReadPidFile() is { Length: > StatusLine } lines
        && lines[PidLine] == processId.ToString(CultureInfo.InvariantCulture)
        && lines[StatusLine].Trim() is "ready" or "standby";

    public long LogLength() => File.Exists(Log) ? new FileInfo(Log).Length : 0;

    /// <summary>The last lines of the log, or of the part of it that begins at an offset; no more than its last 64 kB.</summary>
    public IReadOnlyList<string> ReadLog(int lines, long fromOffset = 0)
    {
        if (!File.Exists(Log))
            return [];
        using var file = new FileStream(Log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        file.Position = Math.Max(fromOffset, file.Length - MostLogBytes);
        using var reader = new StreamReader(file);
        return [.. reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries).TakeLast(lines)];
    }

    private string[] ReadPidFile()
    {
        try
        {
            return File.ReadAllLines(PidFile);
        }
        catch (IOException)
        {
            return [];
        }
    }
}
