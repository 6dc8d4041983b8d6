namespace Tidemark.EfSuite;

/// <summary>One of the two replicas was killed a moment ago.</summary>
public sealed class JournalWithAReplicaDown : JournalCluster
{
    protected override Task BreakAsync() => Cluster["pg-3"].KillAsync(Stop);
}
