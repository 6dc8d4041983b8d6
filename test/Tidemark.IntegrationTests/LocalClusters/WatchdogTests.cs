using System.Diagnostics;
using System.Globalization;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>A watchdog removes what belongs to its cluster, and nothing else.</summary>
public sealed class WatchdogTests : IDisposable
{
    private readonly string _parent = Directory.CreateTempSubdirectory("tidemark-watchdog-").FullName;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private string Folder => Path.Combine(_parent, "one");

    public void Dispose() => Directory.Delete(_parent, recursive: true);

    [Fact]
    public async Task A_folder_that_was_recreated_under_the_same_name_is_kept()
    {
        Directory.CreateDirectory(Folder);
        using var watchdog = Watchdog.Start(Folder, setsid: null);
        (await Poll.UntilAsync(() => ValueTask.FromResult(IsWatched()), TimeSpan.FromSeconds(10), TimeProvider.System, Stop))
            .ShouldBeTrue();
        Directory.Delete(Folder);
        Directory.CreateDirectory(Folder);
        await watchdog.FinishAsync();
        Directory.Exists(Folder).ShouldBeTrue();
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public async Task Shared_memory_is_removed_only_if_its_key_is_the_servers(bool isTheServers, bool stays)
    {
        var id = Run("ipcmk", "-M", "4096").Split(':')[1].Trim();
        try
        {
            var key = KeyOf(id).ShouldNotBeNull();
            var written = isTheServers ? unchecked((ulong)(long)key) : 12345;       // as PostgreSQL writes it, even if negative
            Directory.CreateDirectory(Path.Combine(Folder, "pg-1"));
            await File.WriteAllTextAsync(
                Path.Combine(Folder, "pg-1", "postmaster.pid"),
                    string.Create(CultureInfo.InvariantCulture, $"4194305\n/x\n1\n5432\n\n127.0.0.1\n {written} {id}\nready   \n"), Stop);
            await Watchdog.CleanAsync(Folder);
            Directory.Exists(Folder).ShouldBeFalse();
            (KeyOf(id) is not null).ShouldBe(stays);
        }
        finally
        {
            if (KeyOf(id) is not null)
                Run("ipcrm", "-m", id);
        }
    }

    private bool IsWatched() =>
        Directory.EnumerateDirectories("/proc").Select(folder => Path.GetFileName(folder)).Where(name => char.IsAsciiDigit(name[0]))
        .Select(name => int.Parse(name, CultureInfo.InvariantCulture))
        .Any(id => ProcessTable.CommandLine(id).Contains("tidemark-watchdog", StringComparison.Ordinal)
            && ProcessTable.WorkingFolder(id) == Folder);

    // Key, id, …
    private static int? KeyOf(string id) =>
        File.ReadLines("/proc/sysvipc/shm").Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        .Where(fields => fields[1] == id).Select(fields => (int?)int.Parse(fields[0], CultureInfo.InvariantCulture)).FirstOrDefault();

    private static string Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!;
        return process.StandardOutput.ReadToEnd();
    }
}
