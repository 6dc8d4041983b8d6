using System.Diagnostics;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>
/// A folder for the local clusters of this process and its child processes. Everything in it is deleted after the tests.
/// </summary>
public sealed class LocalClusterFolder : IAsyncDisposable
{
    private readonly string? _before = Environment.GetEnvironmentVariable(SearchEnvironment.ClustersVariable);

    public LocalClusterFolder()
    {
        UnixFolder.MakeReadable(Path);
        Environment.SetEnvironmentVariable(SearchEnvironment.ClustersVariable, Path);
    }

    public string Path { get; } = Directory.CreateTempSubdirectory("tidemark-cli-").FullName;

    /// <summary>The entries of the folder, including hidden ones.</summary>
    public IEnumerable<string> Entries => Directory.EnumerateFileSystemEntries(Path).Select(entry => System.IO.Path.GetFileName(entry));

    /// <summary>The processes whose command line contains the folder: servers and watchdogs.</summary>
    public IEnumerable<string> Processes =>
        Directory.EnumerateDirectories("/proc").Select(folder => System.IO.Path.GetFileName(folder))
        .Where(name => char.IsAsciiDigit(name[0]))
        .Select(name => ProcessTable.CommandLine(int.Parse(name, System.Globalization.CultureInfo.InvariantCulture)))
            .Where(line => line.Contains(Path, StringComparison.Ordinal));

    /// <summary>
    /// Starts the built tool as a process. If the tests run in the background, SIGINT is ignored and child processes inherit that, so the
    /// signal is reset to its default.
    /// </summary>
    public static Process Start(params string[] arguments) =>
        Process.Start(
        new ProcessStartInfo("/usr/bin/env",
        ["--default-signal=INT", "dotnet", System.IO.Path.Combine(AppContext.BaseDirectory, "Tidemark.Cli.dll"), .. arguments])
    {
        RedirectStandardOutput = true, RedirectStandardError = true,
    })!;

    public async ValueTask DisposeAsync()
    {
        foreach (var folder in Directory.EnumerateDirectories(Path)) await Watchdog.CleanAsync(folder);
        Directory.Delete(Path, recursive: true);
        Environment.SetEnvironmentVariable(SearchEnvironment.ClustersVariable, _before);
    }
}
