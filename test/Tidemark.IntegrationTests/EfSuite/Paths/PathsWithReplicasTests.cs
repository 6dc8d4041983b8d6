namespace Tidemark.EfSuite;

public sealed class PathsWithReplicasTests(JournalCluster shared) : PathTests(shared), IClassFixture<JournalCluster>
{
    [Theory]
    [MemberData(nameof(Ways))]
    public Task Every_path_goes_through_with_two_replicas(string path, bool sync) => WalkAsync(path, sync);
}
