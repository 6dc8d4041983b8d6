namespace Tidemark.Cli.Local;

/// <summary>Commands as a person would type them.</summary>
internal static class LocalHints
{
    public const string DefaultName = "default";

    public static string Command(string cluster, string rest) =>
        $"tidemark cluster {rest}{(cluster == DefaultName ? "" : $" --name {cluster}")}";
}
