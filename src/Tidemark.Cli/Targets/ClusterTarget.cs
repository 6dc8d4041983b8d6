using Npgsql;

namespace Tidemark.Cli.Targets;

/// <summary>
/// The cluster that a command is about, and where that was found. Never shown as a whole: connection strings hold passwords.
/// </summary>
/// <param name="source">Where it was found, for people, such as <c>appsettings.json</c>.</param>
/// <param name="builder">Its nodes and settings.</param>
internal sealed class ClusterTarget(string source, TidemarkDataSourceBuilder builder)
{
    private const string ApplicationName = "tidemark";
    private const int RoundsForStaleness = 5;

    /// <summary>Where it was found, for people.</summary>
    public string Source { get; } = source;

    /// <summary>Whether an application runs with these settings, and not only this command.</summary>
    public bool IsConfiguration { get; init; }

    /// <summary>What was configured of it, and the defaults of the rest.</summary>
    public TidemarkOptions Options => builder.Options;

    /// <summary>Its nodes, in the order of the configuration.</summary>
    public IReadOnlyList<TargetNode> Nodes { get; } =
        [.. builder.Options.Nodes.Select(node => new TargetNode(node.Key, Settings(node.Value.ConnectionString)))];

    /// <summary>A node by its name, in any case.</summary>
    /// <exception cref="CommandException">There is none; lists those there are.</exception>
    public TargetNode this[string name] => Nodes.FirstOrDefault(node => node.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
        ?? throw new CommandException(
            $"there is no node {Quoted.Word(name)} in the cluster from {Source}. Its nodes are {string.Join(", ", Nodes.Select(node => node.Name))}.");

    /// <summary>
    /// Opens it as an application would, asks every node, and goes on asking for a moment until it is known how stale replicas can be: that
    /// takes a replica that
    /// has reached a position which the primary was seen at.
    /// </summary>
    public async Task<TidemarkDataSource> OpenAsync(CancellationToken cancellationToken)
    {
        // A command tells of losses in its own words; what an application would do with one is no failure of the command.
        builder.Options.ThrowOnLostWrite = false;
        var source = builder.Build();
        var monitor = source.Cluster.Monitor;
        try
        {
            await monitor.FirstRoundAsync(cancellationToken);

            // An application goes on as soon as a primary is known; a command shows every node, one too whose first connection takes long.
            if (!monitor.Snapshot.IsComplete) await SampleAllAsync();
            for (var round = 0; round < RoundsForStaleness
                && monitor.Snapshot.Nodes.Any(node => node is { Status: ConcludedStatus.Replica, CompleteAsOf: null }); round++)
                await SampleAllAsync();
            return source;
        }
        catch
        {
            await source.DisposeAsync();
            throw;
        }

        Task SampleAllAsync() => Task.WhenAll(monitor.Snapshot.Nodes.Select(node => monitor.SampleAsync(node.Index, cancellationToken)));
    }

    /// <summary>There is no primary, for something that needs one; says what was seen of each node.</summary>
    public CommandException HasNoPrimary(TidemarkDataSource source, string why) =>
        new($"there is no primary {why} (cluster from {Source}):{Seen(source)}");

    /// <summary>No node answers as a server of the cluster; says why for each.</summary>
    public CommandException IsSilent(TidemarkDataSource source) => new($"no node of the cluster from {Source} can be asked:{Seen(source)}");

    private string Seen(TidemarkDataSource source) =>
        string.Concat(Nodes.Zip(source.Nodes, (node, status) => $"\n  {node}: {status.Problem ?? "is a replica"}"));

    private static NpgsqlConnectionStringBuilder Settings(string text)
    {
        var settings = ConnectionText.Parse(text)[0];
        settings.ApplicationName ??= ApplicationName;
        return settings;
    }
}
