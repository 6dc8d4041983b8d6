using Npgsql;

namespace Tidemark;

/// <summary>Checks a read connection that was handed out, each time the caller opens it again.</summary>
internal abstract class ReopeningCheck
{
    /// <summary>
    /// Checks an open connection and blocks meanwhile. Returns the current state of the node, and the session that the connection belongs
    /// to from now on.
    /// </summary>
    /// <exception cref="RoutingException">The node cannot serve the session.</exception>
    public abstract (NodeState Node, ConsistencySession? Session) Check(ReadLease lease, NpgsqlConnection connection);
}
