using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Tidemark.Mutations;

/// <summary>
/// The test classes without servers, by the type names in their source. Predicts which of them are likely to detect a change in a file.
/// </summary>
internal sealed class TestClasses
{
    /// <summary>The class that runs simulated worlds.</summary>
    public const string Worlds = "Tidemark.Verification.SimulationTests";

    private readonly List<(string Name, HashSet<string> Mentions)> _classes = [];

    public TestClasses(string folder)
    {
        foreach (var file in SourcesIn(folder))
        {
            var root = CSharpSyntaxTree.ParseText(File.ReadAllText(file)).GetRoot();
            var mentions = root.DescendantTokens()
                .Where(token => token.IsKind(SyntaxKind.IdentifierToken)).Select(token => token.ValueText).ToHashSet();
            foreach (var type in root.DescendantNodes().OfType<ClassDeclarationSyntax>().Where(IsTestClass))
                _classes.Add(($"{NamespaceOf(type)}.{type.Identifier.ValueText}", mentions));
        }

        if (!_classes.Exists(test => test.Name == Worlds)) throw new InvalidDataException($"{folder} has no test class {Worlds}.");
    }

    /// <summary>The classes that mention a type of the file, or that have its name.</summary>
    public IReadOnlyList<string> Covering(string file, string source)
    {
        var name = Path.GetFileNameWithoutExtension(file);
        var types = TypesIn(source).Append(name).Append($"{name}Tests").ToHashSet();
        return About(types);
    }

    /// <summary>The classes that mention any of the types; tests of other assemblies alone do not.</summary>
    public IReadOnlyList<string> About(IReadOnlySet<string> types) =>
        [.. _classes.Where(test => test.Name != Worlds && types.Overlaps(test.Mentions)).Select(test => test.Name)];

    public static IEnumerable<string> TypesIn(string source) =>
        CSharpSyntaxTree.ParseText(source).GetRoot().DescendantNodes().OfType<BaseTypeDeclarationSyntax>()
            .Select(type => type.Identifier.ValueText);

    /// <summary>The sources of a project, in all its folders, without those that the build generates.</summary>
    public static IEnumerable<string> SourcesIn(string folder) => Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)
        .Where(file => !Path.GetRelativePath(folder, file).Split('/', '\\').Any(part => part is "obj" or "bin"))
        .Order(StringComparer.Ordinal);

    private static bool IsTestClass(ClassDeclarationSyntax type) => type.Members.OfType<MethodDeclarationSyntax>()
        .Any(method => method.AttributeLists.SelectMany(list => list.Attributes)
            .Any(attribute => attribute.Name.ToString() is "Fact" or "Theory"));

    private static string NamespaceOf(ClassDeclarationSyntax type) =>
        type.Ancestors().OfType<BaseNamespaceDeclarationSyntax>().First().Name.ToString();
}
