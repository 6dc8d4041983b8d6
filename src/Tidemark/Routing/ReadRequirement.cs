namespace Tidemark;

/// <summary>What the node of one statement must be or contain. Derived from session and level anew for every attempt.</summary>
internal readonly record struct ReadRequirement
{
    /// <summary>Set when the statement must run on the primary, and says why; <see cref="RouteReason.None"/> otherwise.</summary>
    public RouteReason PrimaryBecause { get; init; }

    /// <summary>What the node must contain; <see langword="null"/>: anything will do.</summary>
    public WalPosition? MustInclude { get; init; }

    /// <summary>
    /// What the session's reads have shown is known only as "what this node had": it may serve again, and no other replica.
    /// </summary>
    public NodeEpoch? StayOn { get; init; }

    /// <summary>
    /// The physical connection on which the node served the session last: it is of the same life of the server, however young.
    /// </summary>
    public object? StayConnection { get; init; }

    /// <summary>Monotonic time: everything committed before it must be there; <see langword="null"/>: no bound.</summary>
    public long? CompleteSince { get; init; }

    /// <summary>The bound behind <see cref="CompleteSince"/>, for words.</summary>
    public TimeSpan? MaxStaleness { get; init; }

    /// <summary>The name of the node the caller asked for; <see langword="null"/>: any.</summary>
    public string? OnNode { get; init; }

    /// <summary>The statement may write: only the primary will do, whatever was named.</summary>
    public bool IsWrite { get; init; }

    public static ReadRequirement Primary(RouteReason because) =>
        new() { PrimaryBecause = because, IsWrite = because is RouteReason.Write or RouteReason.KnownToWrite };

    public override string ToString()
    {
        var what = IsWrite ? "write" : "read";
        if (OnNode is not null) return $"this {what} asks for node '{OnNode}'{Conditions(" that ", "")}";
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
