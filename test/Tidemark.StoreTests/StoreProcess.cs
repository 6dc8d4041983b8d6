using System.Collections.Concurrent;
using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>The sample store as its users start it: a process, with its settings in the environment, on a free port of loopback.</summary>
internal sealed partial class StoreProcess : IAsyncDisposable
{
    private const int SigInt = 2;

    // The last line the store writes when it is open.
    private const string IsOpen = "Ctrl-C stops everything.";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _output = new();
    private readonly TaskCompletionSource _open = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private StoreProcess(Process process)
    {
        _process = process;
        process.OutputDataReceived += (_, line) => Note(line.Data);
        process.ErrorDataReceived += (_, line) => Note(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public int Id => _process.Id;

    /// <summary>Where it listens.</summary>
    public Uri Address => new(Announced("store"));

    /// <summary>All it wrote so far, on both streams.</summary>
    public string Output => string.Join('\n', _output);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <summary>Starts the store on the nodes of a cluster and waits until it is open.</summary>
    public static Task<StoreProcess> OpenAsync(LocalCluster cluster) =>
        OpenAsync([.. cluster.Nodes.Select(node => ($"Tidemark__Nodes__{node.Name}", node.ConnectionString))]);

    /// <summary>Starts the store with these environment variables and waits until it is open.</summary>
    public static async Task<StoreProcess> OpenAsync(params (string Name, string Value)[] settings)
    {
        var store = Start(settings);
        var ended = store._process.WaitForExitAsync(Stop);
        if (await Task.WhenAny(store._open.Task, ended).WaitAsync(Patience, Stop) == store._open.Task) return store;

        await using (store) throw new InvalidOperationException(
            $"The store ended with {store._process.ExitCode} before it was open:\n{store.Output}");
    }

    /// <summary>Starts the store and waits for nothing.</summary>
    public static StoreProcess Start(params (string Name, string Value)[] settings)
    {
        var program = Path.ChangeExtension(Metadata("Store"), null);
        // Whoever runs the tests in the background has SIGINT ignored, and children inherit that; a terminal's Ctrl-C would reach nobody.
        var description = new ProcessStartInfo("/usr/bin/env", ["--default-signal=INT", program])
        {
            // Its settings and static files lie in the project.
            WorkingDirectory = Path.GetDirectoryName(Metadata("StoreProject")),
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        string[] ours = ["Tidemark__", "ASPNETCORE_", "DOTNET_ENVIRONMENT"];
        foreach (var name in description.Environment.Keys.Where(name => ours.Any(name.StartsWith)).ToList())
            description.Environment.Remove(name);
        description.Environment["ASPNETCORE_URLS"] = "http://127.0.0.1:0";
        foreach (var (name, value) in settings) description.Environment[name] = value;
        return new StoreProcess(Process.Start(description)!);
    }

    /// <summary>What the store says of one of its parts when it opens, such as the address of <c>pg-2</c>.</summary>
    public string Announced(string name) =>
        _output.Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .First(words => words.Length > 1 && words[0] == name)[1];

    /// <summary>Waits until it has written a line with this text.</summary>
    public async Task SaysAsync(string text)
    {
        using var limit = new CancellationTokenSource(Patience);
        while (!Output.Contains(text, StringComparison.Ordinal)) await Task.Delay(1, limit.Token);
    }

    /// <summary>Presses Ctrl-C and waits for the end.</summary>
    /// <param name="others">More processes that get the signal: a terminal sends it to all that were started from it.</param>
    /// <returns>The exit code.</returns>
    public Task<int> InterruptAsync(params IEnumerable<int> others)
    {
        foreach (var id in others.Append(Id)) _ = Kill(id, SigInt);
        return EndAsync();
    }

    /// <summary>Waits for the end.</summary>
    /// <returns>The exit code.</returns>
    public async Task<int> EndAsync()
    {
        await _process.WaitForExitAsync(Stop).WaitAsync(Patience, Stop);
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync(CancellationToken.None);
        }

        _process.Dispose();
    }

    private void Note(string? line)
    {
        if (line is null) return;
        _output.Enqueue(line);
        if (line.Contains(IsOpen, StringComparison.Ordinal)) _open.TrySetResult();
    }

    private static string Metadata(string key) => typeof(StoreProcess).Assembly
        .GetCustomAttributes<AssemblyMetadataAttribute>().Single(data => data.Key == key).Value!;

    [LibraryImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Kill(int id, int signal);
}
