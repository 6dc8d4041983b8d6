using System.Globalization;
using Xunit.Runner.InProc.SystemConsole;

namespace Tidemark;

/// <summary>Runs the tests, or acts as the child process that a test starts and kills.</summary>
internal static class Program
{
    private static Task<int> Main(string[] args) => args switch
    {
        [LocalClusterChild.Command, var parent] => LocalClusterChild.HoldAsync(parent),
        [StarvedChild.Command, var readers, .. var nodes] =>
            Task.FromResult(StarvedChild.Run(int.Parse(readers, CultureInfo.InvariantCulture), nodes)),
        _ => ConsoleRunner.Run(args),
    };
}
