using System.Diagnostics;
using System.Globalization;

namespace Tidemark.Testing;

/// <summary>
/// Reads the system's table of processes, for processes that are not children of this one. Process ids are reused, so a process is
/// identified only together with its command line or working folder.
/// </summary>
internal static class ProcessTable
{
    private static readonly bool HasProc = File.Exists("/proc/self/cmdline");

    /// <summary>Returns the command line, with a blank after each part. Blank or empty for a process that has ended.</summary>
    public static string CommandLine(int id)
    {
        var number = id.ToString(CultureInfo.InvariantCulture);
        return HasProc ? Read($"/proc/{number}/cmdline").Replace('\0', ' ') : Ps("-p", number, "-o", "command=").TrimEnd('\n') + " ";
    }

    /// <summary>Returns the working folder of a process, without links. Empty if the system does not report it.</summary>
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
    /// Returns whether a process is a zombie: it has ended, and its parent has not reaped it. <c>false</c> if the system does not report
    /// it.
    /// </summary>
    public static bool HasEnded(int id)
    {
        var stat = Read(string.Create(CultureInfo.InvariantCulture, $"/proc/{id}/stat"));
        return stat[(stat.LastIndexOf(')') + 1)..].TrimStart().StartsWith('Z');
    }

    /// <summary>Returns the processes of servers whose data is in a folder, or was there before it was deleted.</summary>
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

    /// <summary>Returns the child processes of a process.</summary>
    public static IReadOnlyList<int> ChildrenOf(int id) => [.. All().Where(process => process.Parent == id).Select(process => process.Id)];

    private static IEnumerable<(int Id, int Parent)> All()
    {
        var lines = HasProc
            ? Directory.EnumerateDirectories("/proc").Where(folder => char.IsAsciiDigit(Path.GetFileName(folder)[0])).Select(Line)
            : Ps("-A", "-o", "pid=", "-o", "ppid=").Split('\n');
        return lines.Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Where(parts => parts.Length == 2)
            .Select(parts => (int.Parse(parts[0], CultureInfo.InvariantCulture), int.Parse(parts[1], CultureInfo.InvariantCulture)));
    }

    // The format is: id (name) state parent … The name may contain any character.
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
