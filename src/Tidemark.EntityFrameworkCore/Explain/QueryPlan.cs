namespace Tidemark;

/// <summary>How PostgreSQL ran a query on the node that served it.</summary>
/// <param name="Decision">The node, and why it was chosen.</param>
/// <param name="Sql">The SQL of the query as it was sent.</param>
/// <param name="Text">The plan, as returned by <c>EXPLAIN (ANALYZE, BUFFERS)</c>.</param>
public sealed record QueryPlan(RouteDecision Decision, string Sql, string Text)
{
    /// <summary>Returns the decision, followed by the plan.</summary>
    public override string ToString() => $"{Decision}\n{Text}";
}
