namespace Tidemark;

/// <summary>
/// The conditions that a node must meet to run one statement. Derived from the session and the consistency level for every attempt.
/// </summary>
internal readonly record struct ReadRequirement
{
    /// <summary>The reason why the statement must run on the primary, or <see cref="RouteReason.None"/> if it need not.</summary>
    public RouteReason PrimaryBecause { get; init; }

    /// <summary>The WAL position that the node must include, or <see langword="null"/> if no position is required.</summary>
    public WalPosition? MustInclude { get; init; }

    /// <summary>
    /// The node that served the session's reads, if their position is known only as "what this node had". That node may serve again, but no
    /// other replica.
    /// </summary>
    public NodeEpoch? StayOn { get; init; }

    /// <summary>
    /// The physical connection on which the node last served the session. It belongs to the same epoch of the server, even if it was opened
    /// recently.
    /// </summary>
    public object? StayConnection { get; init; }

    /// <summary>
    /// The node must include everything that was committed before this monotonic time. <see langword="null"/> if unbounded.
    /// </summary>
    public long? CompleteSince { get; init; }

    /// <summary>The staleness bound from which <see cref="CompleteSince"/> was calculated, for messages.</summary>
    public TimeSpan? MaxStaleness { get; init; }

    /// <summary>The name of the node that the caller requested, or <see langword="null"/> if any node may serve.</summary>
    public string? OnNode { get; init; }

    /// <summary>
    /// <see langword="true"/> if the statement may write. It then runs only on the primary, even if another node was named.
    /// </summary>
    public bool IsWrite { get; init; }

    public static ReadRequirement Primary(RouteReason because) =>
        new() { PrimaryBecause = because, IsWrite = because is RouteReason.Write or RouteReason.KnownToWrite };

    public override string ToString()
    {
        var what = IsWrite ? "write" : "read";
        if (OnNode is not null) return $"this {what} requires node '{OnNode}'{Conditions(", which ", "")}";
        if (IsWrite) return "this write needs the primary";
        if (PrimaryBecause != RouteReason.None) return $"this read needs the primary ({RouteText.Of(PrimaryBecause)})";
        return $"this read {Conditions("", "may go to any node")}";
    }

    private string Conditions(string before, string otherwise) => (MustInclude, MaxStaleness) switch
    {
        ({ } position, { } bound) => $"{before}must include position {position} and be at most {bound} old",
        ({ } position, null) => $"{before}must include position {position}",
        (null, { } bound) => $"{before}must be at most {bound} old",
        _ => otherwise,
    };
}
