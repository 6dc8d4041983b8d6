namespace Tidemark;

/// <summary>How PostgreSQL ran a query, on the node that serves it.</summary>
/// <param name="Decision">The node, and why it.</param>
/// <param name="Sql">The query as it was sent.</param>
/// <param name="Text">The plan, as <c>EXPLAIN (ANALYZE, BUFFERS)</c> tells it.</param>
public sealed record QueryPlan(RouteDecision Decision, string Sql, string Text)
{
    /// <summary>The decision, and the plan below it.</summary>
    public override string ToString() => $"{Decision}\n{Text}";
}
