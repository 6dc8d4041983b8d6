using Npgsql;

namespace Tidemark;

/// <summary>The settings of one cluster. They are checked when the data source is built, and all errors are reported at once.</summary>
public sealed class TidemarkOptions
{
    /// <summary>Maximum number of nodes in one cluster.</summary>
    public const int MaxNodes = Balancer.MaxNodes;

    /// <summary>The nodes by name, 1 to 64 of them. Names are case-insensitive and appear in logs, spans and errors.</summary>
    public IDictionary<string, NodeOptions> Nodes { get; } = new Dictionary<string, NodeOptions>(StringComparer.OrdinalIgnoreCase);

    /// <summary>What a read asks for where nothing else was said. <see cref="Consistency.Session"/> by default.</summary>
    public Consistency DefaultConsistency { get; set; } = Consistency.Session;

    /// <summary>
    /// How old what a read shows may be at most, whatever its level. At least <see cref="ProbeInterval"/>; no bound by default. A replica
    /// that may be
    /// older is passed over.
    /// </summary>
    public TimeSpan? MaxStaleness { get; set; }

    /// <summary>
    /// How long a read waits for a replica to replay what it must include before it goes to the primary. From 0 (never) to 10 s; 10 ms by
    /// default. A
    /// synchronous read blocks its thread for that long.
    /// </summary>
    public TimeSpan ReadWait { get; set; } = TimeSpan.FromMilliseconds(10);

    /// <summary>
    /// Reads at most that wait at the same time; any more go to the primary at once. From 0 to 1,000,000; 1,000 by default.
    /// </summary>
    public int MaxWaitingReads { get; set; } = 1000;

    /// <summary>
    /// What a session does next after it lost something (<see cref="LostWrite"/>), a read, a write or a capture, throws a
    /// <see cref="LostWriteException"/> before it
    /// is sent, once for each loss. False by default: the loss is logged and reported by <see cref="TidemarkDataSource.WriteLost"/>, and a
    /// read is answered from the
    /// present. A loss that is found while a cookie is made is only logged and reported.
    /// </summary>
    public bool ThrowOnLostWrite { get; set; }

    /// <summary>
    /// The secret that signs tokens, the same in every process that hands them on; at least 32 characters. None by default: tokens are
    /// unsigned, and only
    /// for inside the application. A token whose signature is not good is never believed: the primary is asked instead.
    /// </summary>
    public string? TokenKey { get; set; }

    /// <summary>How long the places in a token are worth anything. From 1 second to 30 days; 1 hour by default.</summary>
    public TimeSpan TokenLifetime { get; set; } = TimeSpan.FromHours(1);

    /// <summary>
    /// How often each node is probed. From 10 ms to 1 minute; 100 ms by default. A lone node is probed at most once a second.
    /// </summary>
    public TimeSpan ProbeInterval { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <summary>After how long without an answer a node is taken as unreachable. From 10 ms to 1 minute; 750 ms by default.</summary>
    public TimeSpan ProbeTimeout { get; set; } = TimeSpan.FromMilliseconds(750);

    /// <summary>How a read chooses among the nodes that may serve it. <see cref="BalancingPolicy.PowerOfTwoChoices"/> by default.</summary>
    public BalancingPolicy Balancing { get; set; } = BalancingPolicy.PowerOfTwoChoices;

    /// <summary>The zone of this process: nodes in it serve its reads as long as one of them can. None by default.</summary>
    public string? Zone { get; set; }

    /// <summary>
    /// The identity of the cluster: <c>SELECT system_identifier FROM pg_control_system()</c>, as <c>tidemark doctor</c> prints it. A node
    /// with another one is
    /// refused from the start. Without it the cluster is what most nodes say, and until most have answered, what the first ones say.
    /// </summary>
    public ulong? SystemIdentifier { get; set; }

    /// <summary>
    /// The primary's share of reads relative to the weights of the replicas. From 0 to 1,000; 0 by default: the primary serves
    /// a read only when no replica can.
    /// </summary>
    public double PrimaryReadWeight { get; set; }

    /// <summary>
    /// Where EF Core's queries that track entities read. From the primary by default: an entity read behind the times and then saved undoes
    /// what somebody else
    /// has changed since, unless it has a concurrency token.
    /// </summary>
    public TrackedQueries TrackedQueries { get; set; } = TrackedQueries.FromPrimary;

    /// <summary>
    /// A read that takes at least this long, until its first row is there or it fails, is logged at Warning with its node, the reason and
    /// its text (the first
    /// 4,000 characters; never a parameter's value). From 1 ms to 1 day; off by default.
    /// </summary>
    public TimeSpan? SlowReadThreshold { get; set; }

    /// <summary>Adds a node.</summary>
    /// <param name="name">The name under which the node appears everywhere.</param>
    /// <param name="connectionString">A keyword string or <c>postgres://</c> URL of one host.</param>
    /// <exception cref="ArgumentException">There is a node of that name.</exception>
    public TidemarkOptions AddNode(string name, string connectionString) =>
        AddNode(name, new NodeOptions { ConnectionString = connectionString });

    /// <inheritdoc cref="AddNode(string, string)"/>
    /// <param name="name">The name under which the node appears everywhere.</param>
    /// <param name="node">The settings of the node.</param>
    public TidemarkOptions AddNode(string name, NodeOptions node)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(node);
        if (!Nodes.TryAdd(name, node))
            throw new ArgumentException($"There are two nodes named '{name}'. Names are case-insensitive; give each node its own.",
                nameof(name));
        return this;
    }

    /// <summary>
    /// Adds a node for each host of one connection string, named after the host, or after host and port where one host has several:
    /// <c>Host=pg-1,pg-2;Database=store</c> or <c>postgres://store@pg-1,pg-2/store</c>.
    /// </summary>
    /// <exception cref="FormatException">The text is no connection string.</exception>
    /// <exception cref="ArgumentException">A node of that name exists.</exception>
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
    /// <param name="hosts">Each names one host.</param>
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
