using BenchmarkDotNet.Running;

namespace Tidemark;

/// <summary>Runs benchmarks: <c>dotnet run -c Release --project bench/Tidemark.Benchmarks -- --filter '*'</c>.</summary>
internal static class Program
{
    private static void Main(string[] args) => BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
}
