using System.Collections.Immutable;
using System.Diagnostics;
using System.Reflection;
using System.Text;
using System.Text.Json;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Emit;

namespace Tidemark.Mutations;

/// <summary>
/// Compiles Tidemark in memory with one file replaced, with the arguments that MSBuild gives to the compiler. What source generators
/// add is the same for all mutants, so they run once.
/// </summary>
internal sealed class MutantCompiler
{
    private readonly Compilation _original;
    private readonly Dictionary<string, SyntaxTree> _trees;

    private MutantCompiler(Compilation original)
    {
        _original = original;
        _trees = original.SyntaxTrees.Where(tree => Path.IsPathRooted(tree.FilePath)).ToDictionary(tree => tree.FilePath);
        ParseOptions = (CSharpParseOptions)original.SyntaxTrees.First().Options;
    }

    public CSharpParseOptions ParseOptions { get; }

    public static MutantCompiler Of(string project)
    {
        var folder = Path.GetDirectoryName(project)!;
        var arguments = CSharpCommandLineParser.Default.Parse(ArgumentsOf(project), folder, sdkDirectory: null);
        var trees = arguments.SourceFiles.Select(file => CSharpSyntaxTree.ParseText(
            File.ReadAllText(file.Path), arguments.ParseOptions, Path.GetFullPath(file.Path), Encoding.UTF8));
        var references = arguments.MetadataReferences
            .Select(reference => MetadataReference.CreateFromFile(reference.Reference, reference.Properties));
        var options = arguments.CompilationOptions.WithGeneralDiagnosticOption(ReportDiagnostic.Default).WithConcurrentBuild(true)
            .WithSpecificDiagnosticOptions(ImmutableDictionary<string, ReportDiagnostic>.Empty);
        var compilation = CSharpCompilation.Create(arguments.CompilationName ?? "Tidemark", trees, references, options);

        var loader = new Loader();
        var generators = arguments.AnalyzerReferences
            .Where(analyzer => Path.GetFileName(analyzer.FilePath).Contains("Generat", StringComparison.Ordinal))
            .Select(analyzer => new AnalyzerFileReference(analyzer.FilePath, loader))
            .SelectMany(reference => reference.GetGenerators(LanguageNames.CSharp));
        CSharpGeneratorDriver.Create(generators, parseOptions: arguments.ParseOptions)
            .RunGeneratorsAndUpdateCompilation(compilation, out var whole, out _);
        return new MutantCompiler(whole);
    }

    /// <summary>Writes the assembly with a file replaced. Returns <see langword="null"/>, or the first error.</summary>
    /// <param name="file">The full path of the file, or <see langword="null"/> for the unchanged program.</param>
    /// <param name="source">The text of the file.</param>
    /// <param name="target">The path of the assembly.</param>
    public string? Compile(string? file, string source, string target)
    {
        var compilation = file is null ? _original
            : _original.ReplaceSyntaxTree(_trees[file], CSharpSyntaxTree.ParseText(source, ParseOptions, file, Encoding.UTF8));
        using var image = new MemoryStream();
        var result = compilation.Emit(image, options: new EmitOptions(debugInformationFormat: DebugInformationFormat.Embedded));
        if (!result.Success) return result.Diagnostics.First(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error).ToString();
        File.WriteAllBytes(target, image.ToArray());
        return null;
    }

    /// <summary>Returns whether the file compiles in its program, which is quicker than writing the assembly.</summary>
    /// <param name="file">The full path of the file.</param>
    /// <param name="source">The text of the file.</param>
    public bool Accepts(string file, string source)
    {
        var tree = CSharpSyntaxTree.ParseText(source, ParseOptions, file, Encoding.UTF8);
        var model = _original.ReplaceSyntaxTree(_trees[file], tree).GetSemanticModel(tree);
        return !model.GetDiagnostics().Any(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error);
    }

    private static IEnumerable<string> ArgumentsOf(string project)
    {
        string[] command =
        [
            "msbuild", project, "-t:Compile", "-p:SkipCompilerExecution=true", "-p:ProvideCommandLineArgs=true",
            "-p:BuildProjectReferences=false", "-p:NonExistentFile=__always__", "-getItem:CscCommandLineArgs",
        ];
        using var process = Process.Start(new ProcessStartInfo("dotnet", command) { RedirectStandardOutput = true })!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0) throw new InvalidOperationException($"dotnet {string.Join(' ', command)}\n{output}");
        using var document = JsonDocument.Parse(output);
        var items = document.RootElement.GetProperty("Items").GetProperty("CscCommandLineArgs");
        return [.. items.EnumerateArray().Select(item => item.GetProperty("Identity").GetString()!)];
    }

    private sealed class Loader : IAnalyzerAssemblyLoader
    {
        public void AddDependencyLocation(string fullPath)
        {
        }

        public Assembly LoadFromPath(string fullPath) => Assembly.LoadFrom(fullPath);
    }
}
