using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Tidemark.Mutations;

/// <summary>A copy of the built tests in which the assembly under test is replaced. One process at a time runs in it.</summary>
internal sealed partial class TestFolder : IDisposable
{
    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"tidemark-mutations-{Guid.NewGuid():N}");

    public TestFolder(string built)
    {
        foreach (var file in Directory.EnumerateFiles(built, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(_folder, Path.GetRelativePath(built, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }

        // Debug information of another build would only confuse stack traces.
        File.Delete(Path.Combine(_folder, "Tidemark.pdb"));
    }

    public string Assembly => Path.Combine(_folder, "Tidemark.dll");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Runs tests until the first fails.</summary>
    /// <param name="filter">Arguments of the test runner.</param>
    /// <param name="limit">The time after which the run counts as hanging.</param>
    /// <returns>The failing test, "timeout", or <see langword="null"/> if all tests pass.</returns>
    public async Task<string?> RunAsync(IEnumerable<string> filter, TimeSpan limit)
    {
        var description = new ProcessStartInfo(Path.Combine(_folder, "Tidemark.Tests"), ["-noColor", "-noLogo", "-stopOnFail", .. filter])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = _folder,
        };
        using var process = Process.Start(description)!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        using var over = new CancellationTokenSource(limit);
        try
        {
            await process.WaitForExitAsync(over.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync();
            return "timeout";
        }

        await errors;
        if (process.ExitCode == 0) return null;

        // 128 + SIGINT, SIGKILL, SIGTERM: the process was ended from outside, so the mutant has no result.
        if (process.ExitCode is 130 or 137 or 143) throw new InvalidOperationException("The test process was ended by a signal.");
        return FailedTest().Match(await output) is { Success: true } failed ? failed.Groups["name"].Value : $"exit code {process.ExitCode}";
    }

    [GeneratedRegex(@"^\s+(?<name>Tidemark\.[\w.]+).* \[FAIL\]", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex FailedTest();
}
