using BenchmarkDotNet.Running;

namespace Tidemark;

/// <summary>
/// Runs benchmarks: <c>dotnet run -c Release --project bench/Tidemark.Benchmarks -- --filter '*'</c>, or the run of the checker over a
/// large history:
/// <c>… -- checker [operations]</c>.
/// </summary>
internal static class Program
{
    private static void Main(string[] args)
    {
        if (args is ["checker", .. var rest]) CheckerRun.Run(rest);
        else BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
    }
}
