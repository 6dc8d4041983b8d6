namespace Tidemark;

/// <summary>The settings of one cluster. They are checked when the data source is built, and all errors are reported at once.</summary>
public sealed class TidemarkOptions
{
    /// <summary>Nodes at most in one cluster.</summary>
    public const int MaxNodes = 64;

    /// <summary>The nodes by name, 1 to 64 of them. Names are case-insensitive and appear in logs, spans and errors.</summary>
    public IDictionary<string, NodeOptions> Nodes { get; } = new Dictionary<string, NodeOptions>(StringComparer.OrdinalIgnoreCase);

    /// <summary>What a read asks for where nothing else was said. <see cref="Consistency.ReadYourWrites"/> by default.</summary>
    public Consistency DefaultConsistency { get; set; } = Consistency.ReadYourWrites;

    /// <summary>How often each node is probed. From 10 ms to 1 minute; 100 ms by default. A lone node is probed at most once a second.</summary>
    public TimeSpan ProbeInterval { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <summary>After how long without an answer a node is taken as unreachable. From 10 ms to 1 minute; 750 ms by default.</summary>
    public TimeSpan ProbeTimeout { get; set; } = TimeSpan.FromMilliseconds(750);

    /// <summary>How a read chooses among the nodes that may serve it. <see cref="BalancingPolicy.PowerOfTwoChoices"/> by default.</summary>
    public BalancingPolicy Balancing { get; set; } = BalancingPolicy.PowerOfTwoChoices;

    /// <summary>The zone of this process: nodes in it serve its reads as long as one of them can. None by default.</summary>
    public string? Zone { get; set; }

    /// <summary>
    /// The primary's share of reads relative to the weights of the replicas. From 0 to 1,000; 0 by default: the primary serves
    /// a read only when no replica can.
    /// </summary>
    public double PrimaryReadWeight { get; set; }

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
            throw new ArgumentException($"There are two nodes named '{name}'. Names are case-insensitive; give each node its own.", nameof(name));
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
        var hosts = ConnectionText.Parse(connectionString);
        foreach (var host in hosts)
        {
            var isAlone = hosts.Count(other => string.Equals(other.Host, host.Host, StringComparison.OrdinalIgnoreCase)) == 1;
            AddNode(isAlone ? host.Host! : $"{host.Host}:{host.Port}", host.ConnectionString);
        }

        return this;
    }
}

/// <summary>How a read chooses among the nodes that may serve it.</summary>
public enum BalancingPolicy
{
    /// <summary>Of two nodes drawn by weight, the one with fewer reads in flight (Mitzenmacher 1996).</summary>
    PowerOfTwoChoices,

    /// <summary>In turn, each as often as its weight says.</summary>
    RoundRobin,

    /// <summary>Drawn by weight.</summary>
    Random,
}
