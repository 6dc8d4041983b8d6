namespace Tidemark;

/// <summary>What a scope sets for the operations inside it. Each value applies until a scope further inside sets another.</summary>
internal sealed record Surroundings(ConsistencySession? Session = null, Consistency? Consistency = null, string? Node = null)
{
    /// <summary>Begins a scope inside the current one of the caller's flow.</summary>
    public static FlowScope<Surroundings> Enter(AsyncLocal<FlowScope<Surroundings>?> flow, Surroundings surroundings) =>
        FlowScope<Surroundings>.Enter(flow, surroundings, ended => ended.Session is null || surroundings.Session is not null);

    /// <summary>
    /// Returns the session of the innermost scope that has one. A flow that outlives the scope keeps the session: without it, its reads
    /// would lose the session's promises in silence. With it, they throw once the session has ended.
    /// </summary>
    public static ConsistencySession? SessionIn(FlowScope<Surroundings>? scope)
    {
        for (; scope is not null; scope = scope.Outer)
            if (scope.Value.Session is { } session) return session;
        return null;
    }

    /// <summary>Returns the consistency of the innermost scope that has one and has not ended.</summary>
    public static Consistency? ConsistencyIn(FlowScope<Surroundings>? scope)
    {
        for (; scope is not null; scope = scope.Outer)
            if (scope is { Value.Consistency: { } consistency, HasEnded: false }) return consistency;
        return null;
    }

    /// <summary>Returns the node of the innermost scope that has one and has not ended.</summary>
    public static string? NodeIn(FlowScope<Surroundings>? scope)
    {
        for (; scope is not null; scope = scope.Outer)
            if (scope is { Value.Node: { } node, HasEnded: false }) return node;
        return null;
    }
}
