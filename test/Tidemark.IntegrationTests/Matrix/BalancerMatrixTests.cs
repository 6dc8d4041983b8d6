namespace Tidemark.Matrix;

/// <summary>An ordinary role at two names. Both replicas answer at one of them.</summary>
public sealed class BalancerMatrixTests(BalancerMatrixTests.Reached reached)
    : MatrixTests(reached, Way.Balancer), IClassFixture<BalancerMatrixTests.Reached>
{
    public sealed class Reached() : MatrixCluster(Way.Balancer);
}
