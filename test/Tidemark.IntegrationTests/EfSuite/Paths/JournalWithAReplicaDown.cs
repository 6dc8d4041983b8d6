namespace Tidemark.EfSuite;

/// <summary>One of the two replicas was just killed.</summary>
public sealed class JournalWithAReplicaDown : JournalCluster
{
    protected override Task BreakAsync() => Cluster["pg-3"].KillAsync(Stop);
}
