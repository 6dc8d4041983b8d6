namespace Tidemark.EfSuite;

public sealed class PathsWithAReplicaDownTests(JournalWithAReplicaDown shared) : PathTests(shared), IClassFixture<JournalWithAReplicaDown>
{
    [Theory]
    [MemberData(nameof(Ways))]
    public Task Every_path_goes_through_with_a_replica_down(string path, bool sync) => WalkAsync(path, sync);
}
