using System.Collections;
using Tidemark.Testing;

namespace Tidemark.Cli.Targets;

/// <summary>What surrounds a command and may say which cluster it is about.</summary>
internal sealed record TargetEnvironment
{
    /// <summary>Environment variables.</summary>
    public required IReadOnlyDictionary<string, string> Variables { get; init; }

    /// <summary>The current folder.</summary>
    public required string Directory { get; init; }

    /// <summary>The user's folder.</summary>
    public required string Home { get; init; }

    /// <summary>The names of the local clusters that are kept.</summary>
    public Func<IReadOnlyList<string>> KeptClusters { get; init; } = KeptCluster.FindNames;

    /// <summary>Where a program of PostgreSQL's is; null: nowhere.</summary>
    public Func<string, string?> FindProgram { get; init; } = program => PostgresBinaries.FindProgram(SearchEnvironment.Current(), program);

    public static TargetEnvironment OfThisProcess() => new()
    {
        Variables = Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .ToDictionary(v => (string)v.Key, v => (string?)v.Value ?? ""),
        Directory = Environment.CurrentDirectory,
        Home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile),
    };

    /// <summary>The value of a variable; an empty one counts as none.</summary>
    public string? Variable(string name) => Variables.GetValueOrDefault(name) is { Length: > 0 } value ? value : null;
}
