namespace Tidemark.EfSuite;

public sealed class PathsWithThePrimaryDownTests(JournalWithThePrimaryDown shared) : PathTests(shared),
    IClassFixture<JournalWithThePrimaryDown>
{
    [Theory]
    [MemberData(nameof(Ways))]
    public Task Without_a_primary_reads_go_through_and_all_else_is_refused_at_once(string path, bool sync) => WalkAsync(path, sync);
}
