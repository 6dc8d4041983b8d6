namespace Tidemark.EfSuite;

/// <summary>The primary was just killed. Plain EF Core reads from a replica.</summary>
public sealed class JournalWithThePrimaryDown : JournalCluster
{
    protected override Task BreakAsync()
    {
        PlainNode = Cluster["pg-2"];
        return Cluster.Primary.KillAsync(Stop);
    }
}
