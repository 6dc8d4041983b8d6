using System.Collections;
using Tidemark.Testing;

namespace Tidemark.Cli.Targets;

/// <summary>The environment of a command, which may determine its cluster.</summary>
internal sealed record TargetEnvironment
{
    /// <summary>Environment variables.</summary>
    public required IReadOnlyDictionary<string, string> Variables { get; init; }

    /// <summary>The current folder.</summary>
    public required string Directory { get; init; }

    /// <summary>The home folder of the user.</summary>
    public required string Home { get; init; }

    /// <summary>Returns the names of the local clusters.</summary>
    public Func<IReadOnlyList<string>> KeptClusters { get; init; } = KeptCluster.FindNames;

    /// <summary>Returns the path of a PostgreSQL program, or <c>null</c> if it was not found.</summary>
    public Func<string, string?> FindProgram { get; init; } = program => PostgresBinaries.FindProgram(SearchEnvironment.Current(), program);

    public static TargetEnvironment OfThisProcess() => new()
    {
        Variables = Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .ToDictionary(v => (string)v.Key, v => (string?)v.Value ?? ""),
        Directory = Environment.CurrentDirectory,
        Home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile),
    };

    /// <summary>Returns the value of a variable, or <c>null</c> if it is not set or empty.</summary>
    public string? Variable(string name) => Variables.GetValueOrDefault(name) is { Length: > 0 } value ? value : null;
}
