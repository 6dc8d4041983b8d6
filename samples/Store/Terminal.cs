using Spectre.Console;
using Tidemark.Testing;

namespace Store;

/// <summary>The store's console output: animated on a terminal, plain lines in a pipe.</summary>
internal static class Terminal
{
    private static readonly bool IsPipe = Console.IsOutputRedirected;

    /// <summary>Shows the steps of a start while it runs.</summary>
    public static Task<T> ShowAsync<T>(string title, Func<IProgress<LocalClusterProgress>, Task<T>> start)
    {
        if (!IsPipe)
            return AnsiConsole.Status().StartAsync(title, status => start(new Steps(step => status.Status = Markup.Escape(step.Stage))));

        Console.WriteLine(title);
        return start(new Steps(step => Console.WriteLine($"{step.Elapsed.TotalSeconds,5:0.0} s  {step.Stage}")));
    }

    /// <summary>Prints the addresses of the store and of its servers.</summary>
    public static void Announce(IEnumerable<string> urls, LocalCluster? cluster)
    {
        foreach (var url in urls) Write("store", url, "bold");
        foreach (var node in cluster?.Nodes ?? [])
            Write(node.Name, $"127.0.0.1:{node.Port}  {(node == cluster!.Primary ? "primary" : "replica")}");
        Write("", "Ctrl-C stops everything.", "grey");
    }

    private static void Write(string name, string text, string style = "default")
    {
        if (IsPipe) Console.WriteLine($"{name,7}  {text}");
        else AnsiConsole.MarkupLine($"[teal]{name,7}[/]  [{style}]{Markup.Escape(text)}[/]");
    }

    /// <summary>Reports synchronously and in order, unlike <see cref="Progress{T}"/>.</summary>
    private sealed class Steps(Action<LocalClusterProgress> report) : IProgress<LocalClusterProgress>
    {
        public void Report(LocalClusterProgress value) => report(value);
    }
}
