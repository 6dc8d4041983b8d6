namespace Tidemark.Matrix;

/// <summary>A superuser, each server at its own address.</summary>
public sealed class SuperuserMatrixTests(SuperuserMatrixTests.Reached reached)
    : MatrixTests(reached, Way.Superuser), IClassFixture<SuperuserMatrixTests.Reached>
{
    public sealed class Reached() : MatrixCluster(Way.Superuser);
}
