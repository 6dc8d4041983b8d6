namespace Tidemark.Matrix;

/// <summary>An ordinary role through PgBouncer in transaction mode, one bouncer for each server.</summary>
public sealed class PgBouncerMatrixTests(PgBouncerMatrixTests.Reached reached)
    : MatrixTests(reached, Way.PgBouncer), IClassFixture<PgBouncerMatrixTests.Reached>
{
    public sealed class Reached() : MatrixCluster(Way.PgBouncer);
}
