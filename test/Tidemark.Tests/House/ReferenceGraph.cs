using System.Text.RegularExpressions;

namespace Tidemark.House;

/// <summary>The references between the files of a project. Each file is named after its only top-level type.</summary>
internal sealed partial class ReferenceGraph
{
    private readonly Dictionary<string, string> _folders;
    private readonly Dictionary<string, HashSet<string>> _uses;

    private ReferenceGraph(Dictionary<string, string> folders, Dictionary<string, HashSet<string>> uses) =>
        (_folders, _uses) = (folders, uses);

    public static ReferenceGraph Of(string project)
    {
        var files = SourceTree.Files(project, ".cs").ToDictionary(file => Path.GetFileNameWithoutExtension(file));
        var folders = files.ToDictionary(
            file => file.Key,
            file => Path.GetRelativePath(project, Path.GetDirectoryName(file.Value)!).Replace('\\', '/'));
        return new ReferenceGraph(folders,
            files.ToDictionary(file => file.Key, file => Names(file.Value).Where(n => n != file.Key && files.ContainsKey(n)).ToHashSet()));
    }

    public IEnumerable<string> Folders => _folders.Values.Distinct();

    /// <summary>The references from a folder to one that follows it in the order.</summary>
    public IEnumerable<string> Upward(IReadOnlyList<string> order) =>
        from file in _uses
        from used in file.Value
        let user = _folders[file.Key]
        let owner = _folders[used]
        where Array.IndexOf([.. order], owner) > Array.IndexOf([.. order], user)
        orderby file.Key, used
        select $"{user}/{file.Key} uses {owner}/{used}";

    /// <summary>The groups of files in which each file uses all others, directly or indirectly.</summary>
    public IEnumerable<string> Circles()
    {
        var reached = _uses.Keys.ToDictionary(file => file, Reach);
        return _uses.Keys.Where(file => reached[file].Contains(file))
            .Select(file => string.Join(' ', reached[file].Where(other => reached[other].Contains(file)).Order(StringComparer.Ordinal)))
            .Distinct().Order(StringComparer.Ordinal);
    }

    private HashSet<string> Reach(string file)
    {
        var reached = new HashSet<string>();
        var waiting = new Stack<string>([file]);
        while (waiting.TryPop(out var next))
            foreach (var used in _uses[next])
                if (reached.Add(used)) waiting.Push(used);
        return reached;
    }

    // A name after a dot is that of a member: a property may have the name of its type.
    private static IEnumerable<string> Names(string file) => Name().Matches(SourceTree.CodeOf(file)).Select(m => m.Value);

    [GeneratedRegex(@"(?<![\w.])[A-Z]\w*")]
    private static partial Regex Name();
}
