using System.Globalization;

namespace Tidemark.Testing;

/// <summary>The files of one node: its data directory, its log, its settings.</summary>
internal sealed class NodeFolder(string clusterFolder, string name)
{
    /// <summary>Included by <c>postgresql.conf</c>.</summary>
    public const string SettingsFile = "tidemark.conf";

    // Lines of postmaster.pid, as in PostgreSQL's pidfile.h.
    private const int PidLine = 0;
    private const int StatusLine = 7;

    public string Data { get; } = Path.Combine(clusterFolder, name);

    public string Log { get; } = Path.Combine(clusterFolder, name + ".log");

    public void WriteSettings(string text)
    {
        var target = Path.Combine(Data, SettingsFile);
        File.WriteAllText(target + ".new", text);
        File.Move(target + ".new", target, overwrite: true);
    }

    /// <summary>Whether a server accepts connections, by what it wrote about itself: <c>pg_ctl</c> goes by this too.</summary>
    public bool IsAccepting(int processId)
    {
        try
        {
            var lines = File.ReadAllLines(Path.Combine(Data, "postmaster.pid"));
            return lines.Length > StatusLine
                && lines[PidLine] == processId.ToString(CultureInfo.InvariantCulture)
                && lines[StatusLine].Trim() is "ready" or "standby";
        }
        catch (IOException)
        {
            return false;
        }
    }

    public long LogLength() => File.Exists(Log) ? new FileInfo(Log).Length : 0;

    /// <summary>The last lines of the log, or of the part of it that begins at an offset.</summary>
    public IReadOnlyList<string> ReadLog(int lines, long fromOffset = 0)
    {
        if (!File.Exists(Log))
            return [];
        using var file = new FileStream(Log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        file.Position = fromOffset;
        using var reader = new StreamReader(file);
        return [.. reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries).TakeLast(lines)];
    }
}
