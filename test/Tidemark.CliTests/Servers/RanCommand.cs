using System.Text.Json;
using Tidemark.Cli;
using Tidemark.Cli.Targets;

namespace Tidemark;

/// <summary>The result of a command line that was run in this process.</summary>
internal sealed record RanCommand(ExitCode ExitCode, string Output, string Errors)
{
    /// <summary>An environment that does not select a cluster.</summary>
    public static TargetEnvironment Nowhere { get; } =
        new() { Variables = new Dictionary<string, string>(), Directory = "/nowhere", Home = "/nowhere", KeptClusters = () => [] };

    public JsonElement Json => JsonDocument.Parse(Output).RootElement;

    public IReadOnlyList<string> Lines => Output.Split('\n');

    public static Task<RanCommand> RunAsync(params string[] arguments) => RunAsync(int.MaxValue, CancellationToken.None, arguments);

    public static Task<RanCommand> RunAsync(int width, CancellationToken cancellationToken, params string[] arguments) =>
        RunAsync(Nowhere, width, cancellationToken, arguments);

    public static Task<RanCommand> RunAsync(TargetEnvironment environment, params string[] arguments) =>
        RunAsync(environment, int.MaxValue, CancellationToken.None, arguments);

    public static async Task<RanCommand> RunAsync(TargetEnvironment environment, int width, CancellationToken cancellationToken,
        params string[] arguments)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var errors = new StringWriter { NewLine = "\n" };
        var exitCode =
            await CommandLine.RunAsync(arguments, new Terminal(output, errors) { Width = width }, environment, cancellationToken);
        return new RanCommand(exitCode, output.ToString(), errors.ToString());
    }
}
