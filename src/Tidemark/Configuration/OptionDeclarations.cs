using ClusterOption = Tidemark.OptionDeclaration<Tidemark.TidemarkOptions>;
using NodeOption = Tidemark.OptionDeclaration<Tidemark.NodeOptions>;

namespace Tidemark;

/// <summary>Every option, declared once. The nodes and the connection strings are structures and are read and checked apart.</summary>
internal static class OptionDeclarations
{
    private const double MaxWeight = 1000;
    private const int MinKeyLength = 32;
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);
    private static readonly TimeSpan Millisecond = TimeSpan.FromMilliseconds(1);

    /// <summary>The options of a node, except for its connection string.</summary>
    public static IReadOnlyList<NodeOption> OfNode { get; } =
    [
        new NodeOption("Weight", "share of reads relative to the other replicas")
        {
            Bounds = "a number greater than 0, at most 1,000 (to exclude a node, remove it)",
            Get = node => node.Weight,
            Set = (node, value) => node.Weight = (double)value!,
        }.Weight(weight => weight is > 0 and <= MaxWeight),
        new("Zone", "the zone of the node, such as an availability zone")
        {
            Bounds = "a name",
            Get = node => node.Zone,
            Set = (node, value) => node.Zone = (string?)value,
        },
        new NodeOption("MaxPoolSize", "maximum number of connections, in the pool for reads and in the pool for writes")
        {
            Bounds = "a number of connections from 1 to 10,000",
            Unset = "Npgsql's (100)",
            Get = node => node.MaxPoolSize,
            Set = (node, value) => node.MaxPoolSize = (int?)value,
        }.Whole(1, 10_000),
        new NodeOption("ConnectionLifetime", "lifetime of a pooled connection")
        {
            Bounds = "a time of at least 1 second",
            Example = "00:30:00",
            Unset = "Npgsql's (1 h)",
            Get = node => node.ConnectionLifetime,
            Set = (node, value) => node.ConnectionLifetime = (TimeSpan?)value,
        }.Time(TimeSpan.FromSeconds(1)),
    ];

    /// <summary>The options of the cluster, except for its nodes.</summary>
    public static IReadOnlyList<ClusterOption> OfCluster { get; } =
    [
        new("DefaultConsistency", "the level of a read that requests none")
        {
            Bounds = $"one of {Consistency.Names}; any but BoundedStaleness may be followed by a maximum staleness of at least "
                + "ProbeInterval",
            Example = "Session within 00:00:30",
            IsReloaded = true,
            Get = options => options.DefaultConsistency,
            Set = (options, value) => options.DefaultConsistency = (Consistency)value!,
            Parse = OptionValues.Parsed<Consistency>,
        },
        new ClusterOption("MaxStaleness", "maximum staleness of every read. A replica that may be staler is not used")
        {
            Bounds = "a time of at least ProbeInterval",
            Example = "00:00:30",
            IsReloaded = true,
            Get = options => options.MaxStaleness,
            Set = (options, value) => options.MaxStaleness = (TimeSpan?)value,
            Parse = OptionValues.Parsed<TimeSpan>,
        },
        new ClusterOption("ReadWait",
            "maximum time that a read waits for a replica to catch up before it goes to the primary. A synchronous read blocks its "
                + "thread")
        {
            Bounds = "a time from 0 (never wait) to 10 seconds",
            Example = "00:00:00.010",
            IsReloaded = true,
            Get = options => options.ReadWait,
            Set = (options, value) => options.ReadWait = (TimeSpan)value!,
        }.Time(TimeSpan.Zero, TimeSpan.FromSeconds(10)),
        new ClusterOption("MaxWaitingReads", "maximum number of reads that wait at once. Further reads go to the primary")
        {
            Bounds = "a number from 0 to 1,000,000",
            IsReloaded = true,
            Get = options => options.MaxWaitingReads,
            Set = (options, value) => options.MaxWaitingReads = (int)value!,
        }.Whole(0, 1_000_000),
        new("ThrowOnLostWrite",
            "if `true`, the next operation of a session that lost a write (a read, a write, a capture) throws before it is sent, once "
                + "for each loss. If `false`, the session continues from the current position")
        {
            Bounds = "true or false",
            IsReloaded = true,
            Get = options => options.ThrowOnLostWrite,
            Set = (options, value) => options.ThrowOnLostWrite = (bool)value!,
            Parse = OptionValues.Parsed<bool>,
        },
        new("TokenKey",
            "the secret that signs tokens, the same in every process. Without it tokens are unsigned, for use inside the application")
        {
            Bounds = $"at least {MinKeyLength} random characters, or leave it out for unsigned tokens",
            IsSecret = true,
            Get = options => options.TokenKey,
            Set = (options, value) => options.TokenKey = (string?)value,
            Accepts = value => value is string { Length: >= MinKeyLength },
        },
        new ClusterOption("TokenLifetime", "how long the positions in a token are valid")
        {
            Bounds = "a time from 1 second to 30 days",
            Example = "01:00:00",
            IsReloaded = true,
            Get = options => options.TokenLifetime,
            Set = (options, value) => options.TokenLifetime = (TimeSpan)value!,
        }.Time(TimeSpan.FromSeconds(1), 30 * Day),
        new ClusterOption("ProbeInterval", "how often each node is probed; a lone node at most once a second")
        {
            Bounds = "a time from 10 ms to 1 minute",
            Example = "00:00:00.100",
            Get = options => options.ProbeInterval,
            Set = (options, value) => options.ProbeInterval = (TimeSpan)value!,
        }.Time(10 * Millisecond, TimeSpan.FromMinutes(1)),
        new ClusterOption("ProbeTimeout",
            "time limit of a query on an open connection, after which the node counts as unreachable. The first connection may take "
                + "`Timeout` of the connection string, at most 5 s; a later one a few times the quickest")
        {
            Bounds = "a time from 10 ms to 1 minute",
            Example = "00:00:00.750",
            Get = options => options.ProbeTimeout,
            Set = (options, value) => options.ProbeTimeout = (TimeSpan)value!,
        }.Time(10 * Millisecond, TimeSpan.FromMinutes(1)),
        new ClusterOption("Balancing", "how a read chooses among the replicas that can serve it")
        {
            Get = options => options.Balancing,
            Set = (options, value) => options.Balancing = (BalancingPolicy)value!,
        }.Choice<TidemarkOptions, BalancingPolicy>(),
        new("Zone", "the zone of this process. Nodes in the same zone serve its reads while one can")
        {
            Bounds = "a name",
            Get = options => options.Zone,
            Set = (options, value) => options.Zone = (string?)value,
        },
        new("SystemIdentifier",
            "the identity of the cluster, as `tidemark doctor` prints it. A node with another identity is refused from the start. "
                + "Without it, the identity that most nodes report applies")
        {
            Bounds = "the result of SELECT system_identifier FROM pg_control_system() on the primary, or leave it out",
            Unset = "that of most nodes",
            Get = options => options.SystemIdentifier,
            Set = (options, value) => options.SystemIdentifier = (ulong?)value,
            Parse = OptionValues.Parsed<ulong>,
            Accepts = value => value is > 0UL,
        },
        new ClusterOption("PrimaryReadWeight",
            "the primary's share of reads, relative to the weights of the replicas. 0: only when no replica can serve")
        {
            Bounds = "a number from 0 (only when no replica can serve) to 1,000",
            Get = options => options.PrimaryReadWeight,
            Set = (options, value) => options.PrimaryReadWeight = (double)value!,
        }.Weight(weight => weight is >= 0 and <= MaxWeight),
        new ClusterOption("TrackedQueries", "where EF Core's tracking queries read")
        {
            IsReloaded = true,
            Get = options => options.TrackedQueries,
            Set = (options, value) => options.TrackedQueries = (TrackedQueries)value!,
        }.Choice<TidemarkOptions, TrackedQueries>(),
        new ClusterOption("SlowReadThreshold",
            "reads that take at least this long, until their first row or their failure, are logged (`SlowRead`)")
        {
            Bounds = "a time from 1 ms to 1 day",
            Example = "00:00:00.500",
            Unset = "off",
            IsReloaded = true,
            Get = options => options.SlowReadThreshold,
            Set = (options, value) => options.SlowReadThreshold = (TimeSpan?)value,
        }.Time(Millisecond, Day),
    ];
}
