using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;

namespace Tidemark;

/// <summary>
/// Runs each command in the blocks of docs/first-hour.md as a process, on separate servers, and compares the output with the page, except
/// for numbers. With <c>TIDEMARK_WRITE_DOCS=1</c>, writes the output into the page.
/// </summary>
[Collection("local clusters")]     // these tests share an environment variable
public sealed partial class FirstHourTests : IAsyncDisposable
{
    private const string Prompt = "$ ";

    private readonly LocalClusterFolder _clusters = new();

    public ValueTask DisposeAsync() => _clusters.DisposeAsync();

    [Fact]
    public async Task Every_line_of_the_page_is_printed_by_its_commands()
    {
        var page = Path.Combine(Repository(), "docs", "first-hour.md");
        var (written, printed) = (await File.ReadAllTextAsync(page, TestContext.Current.CancellationToken), new StringBuilder());
        var isInBlock = false;
        foreach (var line in written.TrimEnd('\n').Split('\n'))
        {
            if (line.StartsWith("```", StringComparison.Ordinal)) isInBlock = !isInBlock;
            else if (isInBlock && !line.StartsWith(Prompt, StringComparison.Ordinal)) continue;
            printed.Append(line).Append('\n');
            if (isInBlock && line.StartsWith(Prompt, StringComparison.Ordinal)) printed.Append(await RunAsync(line[Prompt.Length..]));
        }

        if (Environment.GetEnvironmentVariable("TIDEMARK_WRITE_DOCS") == "1")
            await File.WriteAllTextAsync(page, printed.ToString(), TestContext.Current.CancellationToken);
        else Differences(written, printed.ToString()).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("pg-2  replica  0/C60F10  1  0 B  ≤ 104 ms", "pg-2 replica 0/DA7A9938 1 1.2 kB -", true)]
    [InlineData("pg-2 is paused", "pg-2 is resumed", false)]
    [InlineData("Clean: Tidemark violated no guarantee.", "Tidemark violated guarantees: 3 failed writes visible.", false)]
    [InlineData("(exit code 1)", "(exit code 2)", false)]
    public void Only_numbers_may_differ(string one, string other, bool areAlike) =>
        (Plain(one) == Plain(other)).ShouldBe(areAlike);

    // Reports the differing lines only, since two whole pages are hard to compare.
    private static string Differences(string written, string printed)
    {
        var (expected, actual) = (Plain(written).Split('\n'), Plain(printed).Split('\n'));
        return string.Join('\n', expected.Except(actual).Select(line => $"missing: {line}")
            .Concat(actual.Except(expected).Select(line => $"instead: {line}"))
            .DefaultIfEmpty(expected.SequenceEqual(actual) ? "" : "the lines differ in order or in number"));
    }

    private async Task<string> RunAsync(string command)
    {
        var start = new ProcessStartInfo("bash", ["-c", $"tidemark() {{ dotnet \"$tool\" \"$@\"; }}; {command} 2>&1"])
        {
            RedirectStandardOutput = true,
            WorkingDirectory = _clusters.Path,
            Environment = { ["tool"] = Path.Combine(AppContext.BaseDirectory, "Tidemark.Cli.dll") },
        };
        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return output.Replace(_clusters.Path, "~/.local/state/tidemark/clusters", StringComparison.Ordinal)
            + (process.ExitCode == 0 ? "" : $"(exit code {process.ExitCode})\n");
    }

    // Numbers, LSNs, sizes and times differ from run to run. An unknown value is a dash.
    private static string Plain(string text) => string.Join('\n', text.TrimEnd().Split('\n').Select(line =>
        line.StartsWith("(exit code", StringComparison.Ordinal) ? line : Space().Replace(Figure().Replace(line, "#"), " ").Trim()));

    private static string Repository()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Tidemark.slnx"))) folder = Path.GetDirectoryName(folder)!;
        return folder;
    }

    [GeneratedRegex(@"[0-9A-F]+/[0-9A-F]{2,}|(≤ )?[0-9][0-9,.]*( (ms|s|min|B|kB|MB|GB)\b)?|(?<= )-(?= |$)")]
    private static partial Regex Figure();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();
}
