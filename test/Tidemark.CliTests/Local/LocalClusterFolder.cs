using System.Diagnostics;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>
/// A folder for the clusters that commands keep, in this process and in those it starts; nothing of it outlives its tests.
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

    /// <summary>All that is in it, hidden or not.</summary>
    public IEnumerable<string> Entries => Directory.EnumerateFileSystemEntries(Path).Select(entry => System.IO.Path.GetFileName(entry));

    /// <summary>The processes that have the folder in their command line: servers, and watchdogs.</summary>
    public IEnumerable<string> Processes =>
        Directory.EnumerateDirectories("/proc").Select(folder => System.IO.Path.GetFileName(folder))
        .Where(name => char.IsAsciiDigit(name[0]))
        .Select(name => ProcessTable.CommandLine(int.Parse(name, System.Globalization.CultureInfo.InvariantCulture)))
            .Where(line => line.Contains(Path, StringComparison.Ordinal));

    /// <summary>
    /// The tool, as it was built, as a process of its own. Whoever runs the tests in the background has SIGINT ignored, and children
    /// inherit that; a terminal's Ctrl-C would
    /// reach nobody.
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
