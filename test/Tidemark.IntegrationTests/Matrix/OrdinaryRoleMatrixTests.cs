namespace Tidemark.Matrix;

/// <summary>A role without pg_read_all_stats and REPLICATION, each server at its own address.</summary>
public sealed class OrdinaryRoleMatrixTests(OrdinaryRoleMatrixTests.Reached reached)
    : MatrixTests(reached, Way.OrdinaryRole), IClassFixture<OrdinaryRoleMatrixTests.Reached>
{
    public sealed class Reached() : MatrixCluster(Way.OrdinaryRole);
}
