using Npgsql;

namespace Tidemark;

/// <summary>Checks a connection for reading that was handed out, each time its user opens it again.</summary>
internal abstract class ReopeningCheck
{
    /// <summary>
    /// Checks an open connection, blocking. Returns the node now, and the session that the connection belongs to from now on.
    /// </summary>
    /// <exception cref="RoutingException">The node cannot serve the session.</exception>
    public abstract (NodeState Node, ConsistencySession? Session) Check(ReadLease lease, NpgsqlConnection connection);
}
