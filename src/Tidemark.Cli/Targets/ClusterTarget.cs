using Npgsql;

namespace Tidemark.Cli.Targets;

/// <summary>
/// The cluster that a command applies to, and its source. Never printed as a whole, since connection strings contain passwords.
/// </summary>
/// <param name="source">The source as shown to the user, such as <c>appsettings.json</c>.</param>
/// <param name="builder">The nodes and settings.</param>
internal sealed class ClusterTarget(string source, TidemarkDataSourceBuilder builder)
{
    private const string ApplicationName = "tidemark";
    private const int RoundsForStaleness = 10;
    private static readonly TimeSpan BetweenRounds = TimeSpan.FromMilliseconds(50);

    /// <summary>The source, as shown to the user.</summary>
    public string Source { get; } = source;

    /// <summary>Whether the settings are those of an application, rather than of this command only.</summary>
    public bool IsConfiguration { get; init; }

    /// <summary>The configured options, with defaults for the rest.</summary>
    public TidemarkOptions Options => builder.Options;

    /// <summary>The nodes, in the order of the configuration.</summary>
    public IReadOnlyList<TargetNode> Nodes { get; } =
        [.. builder.Options.Nodes.Select(node => new TargetNode(node.Key, Settings(node.Value.ConnectionString)))];

    /// <summary>Returns a node by its name, ignoring case.</summary>
    /// <exception cref="CommandException">The node does not exist; the message lists the nodes.</exception>
    public TargetNode this[string name] => Nodes.FirstOrDefault(node => node.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
        ?? throw new CommandException(
            $"the cluster from {Source} has no node {Quoted.Word(name)}. Its nodes are "
                + $"{string.Join(", ", Nodes.Select(node => node.Name))}.");

    /// <summary>
    /// Opens the cluster as an application would and probes every node. Repeats the probes up to five times until the staleness of every
    /// replica is known, which requires that the replica has reached an LSN sampled on the primary.
    /// </summary>
    public async Task<TidemarkDataSource> OpenAsync(CancellationToken cancellationToken)
    {
        // A command reports lost writes itself. The exception that an application would get must not end the command.
        builder.Options.ThrowOnLostWrite = false;
        var source = builder.Build();
        var monitor = source.Cluster.Monitor;
        try
        {
            await monitor.FirstRoundAsync(cancellationToken);

            // An application continues once a primary is found. A command shows every node, even if its first connection takes long.
            if (!monitor.Snapshot.IsComplete) await SampleAllAsync();
            for (var round = 0; round < RoundsForStaleness
                && monitor.Snapshot.Nodes.Any(node => node is { Status: ConcludedStatus.Replica, CompleteAsOf: null }); round++)
            {
                // The primary writes WAL without a commit too, such as a checkpoint. A replica needs a moment to replay it.
                if (round > 1) await Task.Delay(BetweenRounds, TimeProvider.System, cancellationToken);
                await SampleAllAsync();
            }

            return source;
        }
        catch
        {
            await source.DisposeAsync();
            throw;
        }

        Task SampleAllAsync() => Task.WhenAll(monitor.Snapshot.Nodes.Select(node => monitor.SampleAsync(node.Index, cancellationToken)));
    }

    /// <summary>Creates the exception for a missing primary, with the state of each node.</summary>
    public CommandException HasNoPrimary(TidemarkDataSource source, string why) =>
        new($"no primary found {why} (cluster from {Source}):{Describe(source)}");

    /// <summary>Creates the exception for a cluster without reachable nodes, with the reason for each.</summary>
    public CommandException IsSilent(TidemarkDataSource source) => new($"no node of the cluster from {Source} can be "
        + $"reached:{Describe(source)}");

    private string Describe(TidemarkDataSource source) =>
        string.Concat(Nodes.Zip(source.Nodes, (node, status) => $"\n  {node}: {status.Problem ?? "is a replica"}"));

    private static NpgsqlConnectionStringBuilder Settings(string text)
    {
        var settings = ConnectionText.Parse(text)[0];
        settings.ApplicationName ??= ApplicationName;
        return settings;
    }
}
