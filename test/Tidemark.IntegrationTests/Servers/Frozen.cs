using System.Globalization;
using System.Runtime.InteropServices;

namespace Tidemark;

/// <summary>Stops a server with all its processes by SIGSTOP, like a machine that hangs. Disposing resumes them.</summary>
internal sealed partial class Frozen : IDisposable
{
    private const int SigStop = 19;
    private const int SigCont = 18;

    private readonly int[] _ids;

    private Frozen(int[] ids)
    {
        _ids = ids;
        foreach (var id in ids) _ = Kill(id, SigStop);
    }

    public static Frozen Processes(int postmaster) => new([postmaster, .. ChildrenOf(postmaster)]);

    public void Dispose()
    {
        foreach (var id in _ids) _ = Kill(id, SigCont);
    }

    private static IEnumerable<int> ChildrenOf(int parent) =>
        from folder in Directory.EnumerateDirectories("/proc")
        let name = Path.GetFileName(folder)
        where name.All(char.IsAsciiDigit)
        where ParentOf(folder) == parent
        select int.Parse(name, CultureInfo.InvariantCulture);

    private static int ParentOf(string folder)
    {
        try
        {
            // The fourth field. It follows a name in brackets that can contain any character.
            var stat = File.ReadAllText(Path.Combine(folder, "stat"));
            return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return -1;
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Kill(int id, int signal);
}
