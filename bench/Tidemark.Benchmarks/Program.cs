using BenchmarkDotNet.Running;

namespace Tidemark;

/// <summary>
/// Runs the benchmarks (<c>dotnet run -c Release --project bench/Tidemark.Benchmarks -- --filter '*'</c>), or the checker over a large
/// history (<c>… -- checker [operations]</c>).
/// </summary>
internal static class Program
{
    private static void Main(string[] args)
    {
        if (args is ["checker", .. var rest]) CheckerRun.Run(rest);
        else BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
    }
}
