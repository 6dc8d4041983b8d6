using System.Globalization;

namespace Tidemark.Mutations;

/// <summary>The command line.</summary>
internal sealed class MutationOptions
{
    public const string Usage = """
        Usage: dotnet run --project test/Tidemark.Mutations -- [options]
          --files A.cs,B.cs    Mutate these of the planned files only.
          --per-member N       At most N mutants for each method or property; 0 for all. Default 2.
          --match TEXT         Only mutants whose name contains the text.
          --survivors          Only mutants that survived when they last ran.
          --keep-killed        A mutant that was killed before the sources changed counts as killed.
          --parallel N         Test processes at a time, 1 or 2. Default 2.
          --list               Print the mutants and run nothing.
          --no-build           Use the tests as they were built last.
          --json               Print the report as JSON.
        Exit code 0: the score is at least 90 %. 1: it is lower. 2: wrong usage, or the tests fail without any mutant.
        """;

    public IReadOnlyList<string> Files { get; private set; } = [];

    public int PerMember { get; private set; } = 2;

    public string? Match { get; private set; }

    public bool Survivors { get; private set; }

    public bool KeepKilled { get; private set; }

    public int Parallel { get; private set; } = 2;

    public bool List { get; private set; }

    public bool NoBuild { get; private set; }

    public bool Json { get; private set; }

    /// <exception cref="ArgumentException">An option does not exist or has a wrong value.</exception>
    public static MutationOptions Parse(string[] arguments)
    {
        var options = new MutationOptions();
        for (var i = 0; i < arguments.Length; i++)
        {
            string Value() => ++i < arguments.Length ? arguments[i] : throw new ArgumentException($"{arguments[i - 1]} needs a value.");
            int Number() => int.TryParse(Value(), CultureInfo.InvariantCulture, out var number) && number >= 0 ? number
                : throw new ArgumentException($"{arguments[i - 1]} needs a number, not '{arguments[i]}'.");
            switch (arguments[i])
            {
                case "--files": options.Files = Value().Split(',', StringSplitOptions.RemoveEmptyEntries); break;
                case "--per-member": options.PerMember = Number(); break;
                case "--match": options.Match = Value(); break;
                case "--survivors": options.Survivors = true; break;
                case "--keep-killed": options.KeepKilled = true; break;
                case "--parallel": options.Parallel = Math.Clamp(Number(), 1, 2); break;
                case "--list": options.List = true; break;
                case "--no-build": options.NoBuild = true; break;
                case "--json": options.Json = true; break;
                default: throw new ArgumentException($"{arguments[i]} is not an option.");
            }
        }

        return options;
    }
}
