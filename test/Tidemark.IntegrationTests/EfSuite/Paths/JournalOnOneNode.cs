namespace Tidemark.EfSuite;

/// <summary>A primary alone.</summary>
public sealed class JournalOnOneNode : JournalCluster
{
    protected override int Replicas => 0;
}
