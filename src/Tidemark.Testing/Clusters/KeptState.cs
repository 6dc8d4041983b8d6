using System.Text.Json;
using System.Text.RegularExpressions;

namespace Tidemark.Testing;

/// <summary>
/// The state of a kept cluster that one process leaves for the next: a JSON file in the cluster's folder, always replaced as a whole.
/// It does not record whether servers run: the process table shows that. It holds no secrets.
/// </summary>
internal sealed partial record KeptState
{
    public const string FileName = "cluster.json";

    // Format of the file. A reader rejects a file with any other format.
    private const int CurrentFormat = 1;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    };

    public int Format { get; init; } = CurrentFormat;

    /// <summary>The folder of the servers' programs.</summary>
    public required string Binaries { get; init; }

    public required int PostgresVersion { get; init; }

    public required string Database { get; init; }

    /// <summary>The port below that of the first node.</summary>
    public required int BasePort { get; init; }

    public required bool SynchronousReplicas { get; init; }

    public required IReadOnlyDictionary<string, string> Settings { get; init; }

    public required string Primary { get; init; }

    public required IReadOnlyList<KeptNodeState> Nodes { get; init; }

    public static string FolderOf(string clusters, string name) => Path.Combine(clusters, name);

    public static string FileOf(string clusters, string name) => Path.Combine(clusters, name, FileName);

    /// <summary>
    /// Returns whether a folder belongs to a cluster, complete or not: an interrupted start or deletion leaves a folder without a state
    /// file. Any other folder next to the clusters is not a cluster, and is never deleted as one.
    /// </summary>
    public static bool IsCluster(string clusters, string name)
    {
        if (!ClusterName.IsValid(name))
            return false;
        try
        {
            return File.Exists(FileOf(clusters, name))
                || Directory.EnumerateFileSystemEntries(FolderOf(clusters, name)).All(entry => Entry().IsMatch(Path.GetFileName(entry)));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    public LocalClusterOptions ToOptions(string name)
    {
        var options = new LocalClusterOptions
        {
            Name = name,
            Replicas = Nodes.Count - 1,
            PostgresVersion = PostgresVersion,
            Database = Database,
            SynchronousReplicas = SynchronousReplicas,
        };
        foreach (var (setting, value) in Settings)
            options.Settings[setting] = value;
        return options;
    }

    /// <summary>Reads the state file of a cluster.</summary>
    /// <exception cref="LocalClusterException">The file is not valid.</exception>
    /// <exception cref="IOException">The file does not exist or cannot be read.</exception>
    public static KeptState Read(string clusters, string name)
    {
        var path = FileOf(clusters, name);
        try
        {
            var state = JsonSerializer.Deserialize<KeptState>(File.ReadAllText(path), Json) ?? throw new JsonException("it is empty");
            return state.FindError() is { } error
                ? throw new JsonException(error)
                : state.WithPromotionsByHand(Path.Combine(clusters, name));
        }
        catch (JsonException error)
        {
            throw new LocalClusterException($"The state of the cluster {name} cannot be read: {error.Message}\n"
                + $"Correct the file {path}, or delete the cluster with: tidemark cluster down --name {name}", error);
        }
    }

    public void Write(string folder)
    {
        var path = Path.Combine(folder, FileName);
        File.WriteAllText(path + ".new", JsonSerializer.Serialize(this, Json));
        File.Move(path + ".new", path, overwrite: true);
    }

    // A user may promote a node without Tidemark. Such a node no longer has a standby.signal file.
    private KeptState WithPromotionsByHand(string folder)
    {
        var promoted = Nodes.Where(node => node.Follows is not null && new NodeFolder(folder, node.Name).IsPrimary)
            .Select(node => node.Name).ToList();
        return promoted.Count == 0 ? this : this with
        {
            Primary = promoted.MaxBy(name => new NodeFolder(folder, name).LastTimeline(), StringComparer.Ordinal)!,
            Nodes = [.. Nodes.Select(node => promoted.Contains(node.Name) ? node with { Follows = null } : node)],
        };
    }

    private string? FindError()
    {
        if (Format != CurrentFormat)
            return $"it has format {Format}, and this version of Tidemark supports format {CurrentFormat}.";
        if (Nodes.Count is 0 or > PortBlock.MostNodes || !PortBlock.IsBase(BasePort))
            return $"its number of nodes must be 1 to {PortBlock.MostNodes}, and its base port must be the start of a port block.";
        var names = Nodes.Select(node => node.Name).ToHashSet();
        return names.Contains(Primary) && Nodes.All(node => node.Follows is null || names.Contains(node.Follows))
            ? null
            : "it names a node that the cluster does not have.";
    }

    // Entries of a cluster's folder other than its state file.
    [GeneratedRegex(@"\A(pg-[0-9]+(\.log|\.new|\.gone)?|cluster\.json\.new)\z")]
    private static partial Regex Entry();
}
