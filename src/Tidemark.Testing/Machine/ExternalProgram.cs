using System.Diagnostics;

namespace Tidemark.Testing;

/// <summary>Runs programs to completion.</summary>
internal static class ExternalProgram
{
    /// <summary>The exit code and the output of a program.</summary>
    public sealed record Outcome(int ExitCode, string Output, string Errors)
    {
        public bool Succeeded => ExitCode == 0;

        public string Text => string.Join('\n', new[] { Output.Trim(), Errors.Trim() }.Where(part => part.Length > 0));
    }

    public static Task<Outcome> RunAsync(IEnumerable<string> command, CancellationToken cancellationToken) =>
        RunAsync(Describe(command), input: "", cancellationToken);

    public static async Task<Outcome> RunAsync(ProcessStartInfo description, string input, CancellationToken cancellationToken)
    {
        description.RedirectStandardInput = true;
        description.RedirectStandardOutput = true;
        description.RedirectStandardError = true;
        using var process = Process.Start(description)!;
        try
        {
            // All inputs fit into a pipe's buffer, so the write cannot block.
            await WriteAsync(process, input).ConfigureAwait(false);
            var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
            var errors = process.StandardError.ReadToEndAsync(cancellationToken);
            await process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
            return new Outcome(process.ExitCode, await output.ConfigureAwait(false), await errors.ConfigureAwait(false));
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }

    private static async Task WriteAsync(Process process, string input)
    {
        try
        {
            await process.StandardInput.WriteAsync(input).ConfigureAwait(false);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // The program ended before it read its input. Its own output explains why.
        }
    }

    /// <summary>Describes a command whose environment makes PostgreSQL use English and ignore the user's <c>PG*</c> variables.</summary>
    public static ProcessStartInfo Describe(IEnumerable<string> command)
    {
        var parts = command.ToList();
        var description = new ProcessStartInfo(parts[0], parts.Skip(1)) { UseShellExecute = false };
        var own = description.Environment.Keys.Where(name => name.StartsWith("PG", StringComparison.Ordinal)).ToList();
        foreach (var name in own)
            description.Environment.Remove(name);
        description.Environment["LC_ALL"] = "C";
        return description;
    }
}
