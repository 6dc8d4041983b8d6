using System.Globalization;

namespace Tidemark.Testing;

/// <summary>The files of one node: its data directory, its log, its settings.</summary>
internal sealed class NodeFolder(string clusterFolder, string name)
{
    /// <summary>Included by <c>postgresql.conf</c>.</summary>
    public const string SettingsFile = "tidemark.conf";

    // Maximum number of bytes read, from the end of the log. The log of a kept cluster is never truncated.
    private const int MostLogBytes = 64 << 10;

    // Lines of postmaster.pid, as in PostgreSQL's pidfile.h.
    private const int PidLine = 0;
    private const int StatusLine = 7;

    public string Data { get; } = Path.Combine(clusterFolder, name);

    public string Log { get; } = Path.Combine(clusterFolder, name + ".log");

    public string Settings => Path.Combine(Data, SettingsFile);

    /// <summary>The file that makes a server a standby. PostgreSQL deletes it at the promotion.</summary>
    public string StandbySignal => Path.Combine(Data, "standby.signal");

    /// <summary>Returns the latest timeline with a history file on the node, in the eight digits of the file name.</summary>
    public string LastTimeline() => Directory.EnumerateFiles(Wal, "*.history")
        .Select(file => Path.GetFileNameWithoutExtension(file)).Append("00000001").Max(StringComparer.Ordinal)!;

    /// <summary>Whether the data directory exists and has no <c>standby.signal</c>.</summary>
    public bool IsPrimary => Directory.Exists(Wal) && !File.Exists(StandbySignal);

    private string Wal => Path.Combine(Data, "pg_wal");

    private string PidFile => Path.Combine(Data, "postmaster.pid");

    /// <summary>Returns the id of the process that wrote <c>postmaster.pid</c>, running or not, or <c>null</c> without the file.</summary>
    public int? ProcessId() =>
        ReadPidFile() is { Length: > PidLine } lines && int.TryParse(lines[PidLine], CultureInfo.InvariantCulture, out var id) ? id : null;

    /// <summary>
    /// Returns whether a process is the postmaster of this folder. The id is not enough, because ids are reused. Checks the command line.
    /// If the system reports it, also checks the working folder: a user may have started the server with another spelling of the folder.
    /// </summary>
    public bool IsServer(int processId)
    {
        var command = ProcessTable.CommandLine(processId);
        return command.Contains($"postgres -D {Data} ", StringComparison.Ordinal)
            || (Path.GetFileName(command.Split(' ')[0]) is "postgres" or "postmaster"
                && ProcessTable.WorkingFolder(processId) == UnixFolder.Resolve(Data));
    }

    /// <summary>
    /// Deletes the <c>postmaster.pid</c> of a server that has ended if its process id still exists. The id may belong to another process,
    /// or to a zombie, as in a container whose first process does not reap its children. PostgreSQL would refuse to start. In all other
    /// cases PostgreSQL itself must evaluate the file, which refers to shared memory that may still be in use.
    /// </summary>
    public void ForgetGoneServer()
    {
        if (ProcessId() is not { } id || IsServer(id)) return;
        var isTaken = ProcessTable.CommandLine(id).Trim().Length > 0;
        bool IsUsed() => ProcessTable.ServersUnder(clusterFolder)
            .Any(other => ProcessTable.WorkingFolder(other) == UnixFolder.Resolve(Data));
        if (isTaken || (ProcessTable.HasEnded(id) && !IsUsed()))
            File.Delete(PidFile);
    }

    /// <summary>Returns whether a server accepts connections, according to its <c>postmaster.pid</c>, as <c>pg_ctl</c> does.</summary>
    public bool IsAccepting(int processId) => ReadPidFile() is { Length: > StatusLine } lines
        && lines[PidLine] == processId.ToString(CultureInfo.InvariantCulture)
        && lines[StatusLine].Trim() is "ready" or "standby";

    public long LogLength() => File.Exists(Log) ? new FileInfo(Log).Length : 0;

    /// <summary>Returns the last lines of the log, or of the part that begins at an offset. Reads only the last 64 kB.</summary>
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
