using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace Tidemark.House;

/// <summary>The files of this repository, for tests that check the source.</summary>
internal static partial class SourceTree
{
    public static string Root { get; } = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(Here())!, "..", "..", ".."));

    /// <summary>Returns the paths, from the root, of the files in a folder that have one of the endings. Omits build output.</summary>
    public static IEnumerable<string> Files(string folder, params string[] endings) =>
        from path in Directory.EnumerateFiles(Path.Combine(Root, folder), "*", SearchOption.AllDirectories)
        let file = Path.GetRelativePath(Root, path).Replace('\\', '/')
        where endings.Any(file.EndsWith) && !Built().IsMatch(file)
        orderby file
        select file;

    public static string Read(string file) => File.ReadAllText(Path.Combine(Root, file));

    /// <summary>
    /// Returns C# without comments and without the contents of strings. The parts of interpolated strings in braces are kept: they
    /// are code.
    /// </summary>
    public static string CodeOf(string file) =>
        CommentOrText().Replace(Read(file), m => m.Value[0] switch
        {
            '/' => " ",
            '$' => string.Concat(Hole().Matches(m.Value).Select(hole => hole.Value)),
            _ => "\"\"",
        });

    [GeneratedRegex(@"\{[^{}]*")]
    private static partial Regex Hole();

    [GeneratedRegex(@"(^|/)(obj|bin|node_modules|BenchmarkDotNet\.Artifacts)/")]
    private static partial Regex Built();

    [GeneratedRegex("""
        //[^\n]*|/\*.*?\*/|\$*"{3,}.*?"{3,}|[$@]*@[$]*"(""|[^"])*"|\$?"(\\.|[^"\\\n])*"|'(\\.|[^'\\\n])'
        """, RegexOptions.Singleline)]
    private static partial Regex CommentOrText();

    private static string Here([CallerFilePath] string path = "") => path;
}
