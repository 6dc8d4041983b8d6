namespace Tidemark;

/// <summary>A server with a replica and the tables of the store, to compare with a mirror of the primary.</summary>
public sealed class OneServerAndReplica : OneServer
{
    protected override int Replicas => 1;
}
