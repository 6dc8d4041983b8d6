using Xunit.Runner.InProc.SystemConsole;

namespace Tidemark;

/// <summary>Runs the tests, or is the process that one of them starts and kills.</summary>
internal static class Program
{
    private static Task<int> Main(string[] args) =>
        args is [LocalClusterChild.Command, var parent] ? LocalClusterChild.HoldAsync(parent) : ConsoleRunner.Run(args);
}
