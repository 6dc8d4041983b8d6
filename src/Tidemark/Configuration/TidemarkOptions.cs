using Npgsql;

namespace Tidemark;

/// <summary>The settings of one cluster. They are validated when the data source is built, and all errors are reported at once.</summary>
public sealed class TidemarkOptions
{
    /// <summary>Maximum number of nodes in one cluster.</summary>
    public const int MaxNodes = Balancer.MaxNodes;

    /// <summary>The nodes by name, from 1 to 64. Names are case-insensitive and appear in logs, activities and errors.</summary>
    public IDictionary<string, NodeOptions> Nodes { get; } = new Dictionary<string, NodeOptions>(StringComparer.OrdinalIgnoreCase);

    /// <summary>The consistency of reads that do not specify their own. <see cref="Consistency.Session"/> by default.</summary>
    public Consistency DefaultConsistency { get; set; } = Consistency.Session;

    /// <summary>
    /// Maximum staleness of a read, at every consistency level. At least <see cref="ProbeInterval"/>; no bound by default. Replicas that
    /// may exceed the bound are not used.
    /// </summary>
    public TimeSpan? MaxStaleness { get; set; }

    /// <summary>
    /// How long a read waits for a replica to replay what it must include before it falls back to the primary. From 0 (never) to 10 s; 10
    /// ms by default. A synchronous read blocks its thread during the wait.
    /// </summary>
    public TimeSpan ReadWait { get; set; } = TimeSpan.FromMilliseconds(10);

    /// <summary>
    /// Maximum number of reads that wait at the same time. Further reads go to the primary at once. From 0 to 1,000,000; 1,000 by default.
    /// </summary>
    public int MaxWaitingReads { get; set; } = 1000;

    /// <summary>
    /// If <see langword="true"/>, the next read, write or token capture of a session that has lost something (<see cref="LostWrite"/>)
    /// throws a <see cref="LostWriteException"/> before anything is sent, once for each loss. <see langword="false"/> by default: the loss
    /// is logged and reported by <see cref="TidemarkDataSource.WriteLost"/>, and a read returns the current data. A loss that is detected
    /// while a cookie is created is only logged and reported.
    /// </summary>
    public bool ThrowOnLostWrite { get; set; }

    /// <summary>
    /// The secret that signs tokens: the same in every process that passes them on, at least 32 characters. None by default: tokens are
    /// then unsigned and must not leave the application. If the signature of a token is not valid, its positions are ignored and the
    /// primary is queried instead.
    /// </summary>
    public string? TokenKey { get; set; }

    /// <summary>How long the positions in a token are valid. From 1 second to 30 days; 1 hour by default.</summary>
    public TimeSpan TokenLifetime { get; set; } = TimeSpan.FromHours(1);

    /// <summary>
    /// How often each node is probed. From 10 ms to 1 minute; 100 ms by default. If the cluster has only one node, it is probed at most
    /// once a second.
    /// </summary>
    public TimeSpan ProbeInterval { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <summary>How long a probe may take before the node counts as unreachable. From 10 ms to 1 minute; 750 ms by default.</summary>
    public TimeSpan ProbeTimeout { get; set; } = TimeSpan.FromMilliseconds(750);

    /// <summary>How a read chooses among the nodes that can serve it. <see cref="BalancingPolicy.PowerOfTwoChoices"/> by default.</summary>
    public BalancingPolicy Balancing { get; set; } = BalancingPolicy.PowerOfTwoChoices;

    /// <summary>The zone of this process. Nodes in the same zone serve its reads as long as one of them can. None by default.</summary>
    public string? Zone { get; set; }

    /// <summary>
    /// The identity of the cluster: <c>SELECT system_identifier FROM pg_control_system()</c>, as printed by <c>tidemark doctor</c>. A node
    /// with another identifier is rejected from the start. If not set, the identifier that most nodes report is used. Until most nodes have
    /// responded, it is the identifier of the first ones.
    /// </summary>
    public ulong? SystemIdentifier { get; set; }

    /// <summary>
    /// The primary's share of reads relative to the weights of the replicas. From 0 to 1,000. 0 by default: the primary serves a read only
    /// if no replica can.
    /// </summary>
    public double PrimaryReadWeight { get; set; }

    /// <summary>
    /// Where EF Core queries that track entities read. From the primary by default: saving an entity that was read from a lagging replica
    /// can silently overwrite a newer change, unless the entity has a concurrency token.
    /// </summary>
    public TrackedQueries TrackedQueries { get; set; } = TrackedQueries.FromPrimary;

    /// <summary>
    /// A read is logged at Warning if it takes at least this long until its first row or its failure. The log contains the node, the reason
    /// and the SQL (the first 4,000 characters; never the values of parameters). From 1 ms to 1 day; off by default.
    /// </summary>
    public TimeSpan? SlowReadThreshold { get; set; }

    /// <summary>Adds a node.</summary>
    /// <param name="name">The name of the node. It appears in logs, activities and errors.</param>
    /// <param name="connectionString">A keyword string or <c>postgres://</c> URL with one host.</param>
    /// <exception cref="ArgumentException">A node with that name exists.</exception>
    public TidemarkOptions AddNode(string name, string connectionString) =>
        AddNode(name, new NodeOptions { ConnectionString = connectionString });

    /// <inheritdoc cref="AddNode(string, string)"/>
    /// <param name="name">The name of the node. It appears in logs, activities and errors.</param>
    /// <param name="node">The settings of the node.</param>
    public TidemarkOptions AddNode(string name, NodeOptions node)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(node);
        if (!Nodes.TryAdd(name, node))
            throw new ArgumentException($"A node named '{name}' already exists. Names are case-insensitive; give each node its own.",
                nameof(name));
        return this;
    }

    /// <summary>
    /// Adds a node for each host in one connection string: <c>Host=pg-1,pg-2;Database=store</c> or <c>postgres://store@pg-1,pg-2/store</c>.
    /// The name of a node is its host, or host and port if several nodes have the same host.
    /// </summary>
    /// <exception cref="FormatException">The text is not a valid connection string.</exception>
    /// <exception cref="ArgumentException">A node with that name exists.</exception>
    public TidemarkOptions AddNodes(string connectionString)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(connectionString);
        return AddNodes(ConnectionText.Parse(connectionString));
    }

    /// <summary>The path of the options in the application's configuration, for errors.</summary>
    internal string Path { get; set; } = "Tidemark";

    /// <summary>Errors of the reader, which the validator reports together with its own.</summary>
    internal List<string> Unreadable { get; } = [];

    /// <inheritdoc cref="AddNodes(string)"/>
    /// <param name="hosts">The nodes; each has one host.</param>
    internal TidemarkOptions AddNodes(IReadOnlyList<NpgsqlConnectionStringBuilder> hosts)
    {
        foreach (var host in hosts)
        {
            var isAlone = hosts.Count(other => string.Equals(other.Host, host.Host, StringComparison.OrdinalIgnoreCase)) == 1;
            AddNode(isAlone ? host.Host! : $"{host.Host}:{host.Port}", host.ConnectionString);
        }

        return this;
    }
}
