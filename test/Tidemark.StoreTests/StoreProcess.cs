using System.Collections.Concurrent;
using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;
using Tidemark.Testing;

namespace Tidemark;

/// <summary>The sample store as a process, configured by environment variables, on a free loopback port.</summary>
internal sealed partial class StoreProcess : IAsyncDisposable
{
    private const int SigInt = 2;

    // The last line that the store prints when it is ready.
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

    /// <summary>The address on which the store listens.</summary>
    public Uri Address => new(Announced("store"));

    /// <summary>The output so far, of both streams.</summary>
    public string Output => string.Join('\n', _output);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <summary>Starts the store on the nodes of a cluster and waits until it is ready.</summary>
    public static Task<StoreProcess> OpenAsync(LocalCluster cluster) =>
        OpenAsync([.. cluster.Nodes.Select(node => ($"Tidemark__Nodes__{node.Name}", node.ConnectionString))]);

    /// <summary>Starts the store with these environment variables and waits until it is ready.</summary>
    public static async Task<StoreProcess> OpenAsync(params (string Name, string Value)[] settings)
    {
        var store = Start(settings);
        var ended = store._process.WaitForExitAsync(Stop);
        if (await Task.WhenAny(store._open.Task, ended).WaitAsync(Patience, Stop) == store._open.Task) return store;

        await using (store) throw new InvalidOperationException(
            $"The store exited with code {store._process.ExitCode} before it was ready:\n{store.Output}");
    }

    /// <summary>Starts the store without waiting.</summary>
    public static StoreProcess Start(params (string Name, string Value)[] settings)
    {
        var program = Path.ChangeExtension(Metadata("Store"), null);
        // If the tests run in the background, SIGINT is ignored and child processes inherit that. Reset the signal to its default.
        var description = new ProcessStartInfo("/usr/bin/env", ["--default-signal=INT", program])
        {
            // The settings and static files of the store are in its project folder.
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

    /// <summary>Returns the start-up output of the store for one of its parts, such as the address of <c>pg-2</c>.</summary>
    public string Announced(string name) =>
        _output.Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .First(words => words.Length > 1 && words[0] == name)[1];

    /// <summary>Waits until the output contains the text.</summary>
    public async Task SaysAsync(string text)
    {
        using var limit = new CancellationTokenSource(Patience);
        while (!Output.Contains(text, StringComparison.Ordinal)) await Task.Delay(1, limit.Token);
    }

    /// <summary>Sends SIGINT and waits for the process to exit.</summary>
    /// <param name="others">Other processes that receive the signal, as from a terminal, which sends it to the whole process group.</param>
    /// <returns>The exit code.</returns>
    public Task<int> InterruptAsync(params IEnumerable<int> others)
    {
        foreach (var id in others.Append(Id)) _ = Kill(id, SigInt);
        return EndAsync();
    }

    /// <summary>Waits for the process to exit.</summary>
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
