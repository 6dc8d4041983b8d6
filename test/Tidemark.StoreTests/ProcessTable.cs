using System.Globalization;

namespace Tidemark;

/// <summary>The processes of this machine, read from /proc.</summary>
internal static class ProcessTable
{
    /// <summary>Whether the process runs. A zombie process has an empty command line.</summary>
    public static bool IsAlive(int id) => Read(id, "cmdline").Length > 0;

    /// <summary>Returns the descendants of a process.</summary>
    public static IReadOnlyList<int> DescendantsOf(int parent)
    {
        var children = Directory.EnumerateDirectories("/proc").Select(Path.GetFileName)
            .Where(name => name!.All(char.IsAsciiDigit))
            .Select(name => int.Parse(name!, CultureInfo.InvariantCulture))
            .ToLookup(ParentOf);
        var found = new List<int>(children[parent]);
        for (var i = 0; i < found.Count; i++) found.AddRange(children[found[i]]);
        return found;
    }

    // The second field after the name in parentheses, which can contain any character.
    private static int ParentOf(int id) =>
        Read(id, "stat") is { Length: > 0 } stat
            ? int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture) : -1;

    private static string Read(int id, string file)
    {
        try
        {
            return File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{id}/{file}"));
        }
        catch (IOException)
        {
            return "";
        }
    }
}
