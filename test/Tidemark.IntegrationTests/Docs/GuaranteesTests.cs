using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace Tidemark;

/// <summary>Each promise in docs/guarantees.md names a test that exists.</summary>
public sealed partial class GuaranteesTests
{
    [Fact]
    public async Task Every_test_that_a_guarantee_names_is_there()
    {
        var text = await File.ReadAllTextAsync(Path.Combine(Root(), "docs", "guarantees.md"), TestContext.Current.CancellationToken);
        var tests = typeof(GuaranteesTests).Assembly.GetTypes().SelectMany(t => t.GetMethods())
            .Where(m => m.GetCustomAttribute<FactAttribute>() is not null)
            .Select(m => $"{m.DeclaringType!.Name}.{m.Name}").ToHashSet();
        var named = TestName().Matches(text).Select(m => m.Groups["name"].Value).ToList();

        named.Count.ShouldBeGreaterThan(30);
        named.Where(name => !tests.Contains(name) && !IsUnitTest(name)).ShouldBeEmpty();
    }

    /// <summary>The tests that need no server are in another project, each class in a file with its name.</summary>
    private static bool IsUnitTest(string name)
    {
        var (type, method) =
            (name[..name.IndexOf('.', StringComparison.Ordinal)], name[(name.IndexOf('.', StringComparison.Ordinal) + 1)..]);
        return Directory.EnumerateFiles(Path.Combine(Root(), "test", "Tidemark.Tests"), $"{type}.cs", SearchOption.AllDirectories)
            .Any(file => File.ReadAllText(file).Contains($" {method}(", StringComparison.Ordinal));
    }

    private static string Root([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", ".."));

    [GeneratedRegex("`(?<name>[A-Z][A-Za-z]+Tests\\.[A-Z][A-Za-z0-9_]+)`", RegexOptions.ExplicitCapture)]
    private static partial Regex TestName();
}
