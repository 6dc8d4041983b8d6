namespace Tidemark;

/// <summary>The same with a replica, to compare a mirror of the primary with.</summary>
public sealed class OneServerAndReplica : OneServer
{
    protected override int Replicas => 1;
}
