namespace Tidemark.EfSuite;

/// <summary>A primary without replicas.</summary>
public sealed class JournalOnOneNode : JournalCluster
{
    protected override int Replicas => 0;
}
