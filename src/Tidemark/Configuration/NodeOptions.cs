namespace Tidemark;

/// <summary>The configuration of one node. Tidemark detects whether the node is the primary or a replica.</summary>
public sealed class NodeOptions
{
    /// <summary>
    /// A keyword string (<c>Host=pg-1;Database=store</c>) or a URL (<c>postgres://user@pg-1/store</c>) with one host. Required.
    /// </summary>
    public string ConnectionString { get; set; } = "";

    /// <summary>The node's share of reads relative to the other nodes. Greater than 0, at most 1,000; 1 by default.</summary>
    public double Weight { get; set; } = 1;

    /// <summary>
    /// The location of the node, such as an availability zone. Nodes in <see cref="TidemarkOptions.Zone"/> are preferred. None by default.
    /// </summary>
    public string? Zone { get; set; }

    /// <summary>
    /// Maximum number of connections in each of the node's two pools (reads and writes). From 1 to 10,000; the connection string's
    /// <c>Maximum Pool Size</c> by default (Npgsql: 100).
    /// </summary>
    public int? MaxPoolSize { get; set; }

    /// <summary>
    /// How long a pooled connection is used before it is replaced. At least 1 second; the connection string's <c>Connection Lifetime</c> by
    /// default (Npgsql: an hour).
    /// </summary>
    public TimeSpan? ConnectionLifetime { get; set; }
}
