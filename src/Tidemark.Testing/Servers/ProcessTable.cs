using System.Diagnostics;
using System.Globalization;

namespace Tidemark.Testing;

/// <summary>
/// What the machine knows about processes that are not our children. Process ids are used again, so none is believed without its command
/// line or its working folder.
/// </summary>
internal static class ProcessTable
{
    private static readonly bool HasProc = File.Exists("/proc/self/cmdline");

    /// <summary>The command line, its parts followed by blanks; empty for a process that has ended.</summary>
    public static string CommandLine(int id)
    {
        var number = id.ToString(CultureInfo.InvariantCulture);
        return HasProc ? Read($"/proc/{number}/cmdline").Replace('\0', ' ') : Ps("-p", number, "-o", "command=").TrimEnd('\n') + " ";
    }

    /// <summary>The folder a process works in, without links; empty where the machine does not tell.</summary>
    public static string WorkingFolder(int id)
    {
        try
        {
            return HasProc ? new FileInfo(string.Create(CultureInfo.InvariantCulture, $"/proc/{id}/cwd")).LinkTarget ?? "" : "";
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    /// <summary>
    /// A process that is there in name only: it has ended, and its parent has not taken note. False where the machine does not tell.
    /// </summary>
    public static bool HasEnded(int id)
    {
        var stat = Read(string.Create(CultureInfo.InvariantCulture, $"/proc/{id}/stat"));
        return stat[(stat.LastIndexOf(')') + 1)..].TrimStart().StartsWith('Z');
    }

    /// <summary>The processes of servers whose data is in a folder, or was, before it was deleted.</summary>
    public static IReadOnlyList<int> ServersUnder(string folder)
    {
        if (HasProc)
        {
            var inside = UnixFolder.Resolve(folder) + "/";
            return [.. All().Select(process => process.Id).Where(id => WorkingFolder(id).StartsWith(inside, StringComparison.Ordinal)
                && CommandLine(id).Contains("postgres", StringComparison.Ordinal))];
        }

        return [.. Ps("-A", "-o", "pid=", "-o", "command=").Split('\n')
            .Where(line => line.Contains($"postgres -D {folder}/", StringComparison.Ordinal))
            .Select(line => int.Parse(line.TrimStart().Split(' ')[0], CultureInfo.InvariantCulture))];
    }

    /// <summary>The processes that a process has started and that have not ended.</summary>
    public static IReadOnlyList<int> ChildrenOf(int id) => [.. All().Where(process => process.Parent == id).Select(process => process.Id)];

    private static IEnumerable<(int Id, int Parent)> All()
    {
        var lines = HasProc
            ? Directory.EnumerateDirectories("/proc").Where(folder => char.IsAsciiDigit(Path.GetFileName(folder)[0])).Select(Line)
            : Ps("-A", "-o", "pid=", "-o", "ppid=").Split('\n');
        return lines.Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Where(parts => parts.Length == 2)
            .Select(parts => (int.Parse(parts[0], CultureInfo.InvariantCulture), int.Parse(parts[1], CultureInfo.InvariantCulture)));
    }

    // id (name) state parent …, and the name may hold anything.
    private static string Line(string folder)
    {
        var stat = Read(folder + "/stat");
        var rest = stat[(stat.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return rest.Length > 1 ? $"{Path.GetFileName(folder)} {rest[1]}" : "";
    }

    private static string Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    private static string Ps(params string[] arguments)
    {
        using var ps = Process.Start(new ProcessStartInfo("ps", arguments) { RedirectStandardOutput = true })!;
        var output = ps.StandardOutput.ReadToEnd();
        ps.WaitForExit();
        return output;
    }
}
