namespace Tidemark.Cli.Local;

/// <summary>Formats commands for the user to type.</summary>
internal static class LocalHints
{
    public const string DefaultName = "default";

    public static string Command(string cluster, string rest) =>
        $"tidemark cluster {rest}{(cluster == DefaultName ? "" : $" --name {cluster}")}";
}
