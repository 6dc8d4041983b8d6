using System.Runtime.CompilerServices;

namespace Tidemark.Mutations;

/// <summary>Mutation testing of the consistency code; CONTRIBUTING.md describes the command.</summary>
internal static class Program
{
    private static async Task<int> Main(string[] arguments)
    {
        try
        {
            return await new MutationRun(Root(), MutationOptions.Parse(arguments)).RunAsync();
        }
        catch (ArgumentException wrong)
        {
            await Console.Error.WriteLineAsync($"{wrong.Message}\n{MutationOptions.Usage}");
            return 2;
        }
        catch (InvalidDataException wrong)
        {
            await Console.Error.WriteLineAsync(wrong.Message);
            return 2;
        }
    }

    private static string Root([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", ".."));
}
