namespace Tidemark;

/// <summary>One node as it is configured: where it is and what it can take. Whether it is the primary or a replica is found out.</summary>
public sealed class NodeOptions
{
    /// <summary>
    /// A keyword string (<c>Host=pg-1;Database=store</c>) or a URL (<c>postgres://user@pg-1/store</c>) that names one host. Required.
    /// </summary>
    public string ConnectionString { get; set; } = "";

    /// <summary>The node's share of reads relative to the others. Above 0, at most 1,000; 1 by default.</summary>
    public double Weight { get; set; } = 1;

    /// <summary>
    /// Where the node stands, such as an availability zone; nodes in <see cref="TidemarkOptions.Zone"/> are preferred. None by default.
    /// </summary>
    public string? Zone { get; set; }

    /// <summary>
    /// Connections at most in each of the node's two pools, reads and writes. From 1 to 10,000; the connection string's
    /// <c>Maximum Pool Size</c> by default (Npgsql: 100).
    /// </summary>
    public int? MaxPoolSize { get; set; }

    /// <summary>
    /// How long a pooled connection lives before it is replaced. From 1 second; the connection string's
    /// <c>Connection Lifetime</c> by default (Npgsql: an hour).
    /// </summary>
    public TimeSpan? ConnectionLifetime { get; set; }
}
