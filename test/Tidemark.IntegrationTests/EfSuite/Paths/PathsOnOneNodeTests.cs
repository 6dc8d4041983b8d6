namespace Tidemark.EfSuite;

public sealed class PathsOnOneNodeTests(JournalOnOneNode shared) : PathTests(shared), IClassFixture<JournalOnOneNode>
{
    [Theory]
    [MemberData(nameof(Ways))]
    public Task Every_path_goes_through_on_one_node(string path, bool sync) => WalkAsync(path, sync);
}
