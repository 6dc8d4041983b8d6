using static Tidemark.Snapshots;

namespace Tidemark;

public sealed class TimelineHistoryReaderTests
{
    [Fact]
    public async Task The_history_of_a_timeline_is_read_over_a_replication_connection()
    {
        await using var server = new FakeServer(answer: text =>
            text == "TIMELINE_HISTORY 3"
                ? FakeAnswer.Row("00000003.history", "1\t0/64\tno reason\n2\t0/C8\tno reason\n") : FakeAnswer.Error("42601"));

        (await TimelineHistoryReader.ReadAsync(server.ConnectionString, 3)).ShouldNotBeNull()
            .ShouldBe([new Fork(1, 2, At(100), At(100)), new Fork(2, 3, At(200), At(200))]);
    }

    [Fact]
    public async Task A_server_that_refuses_its_history_does_not_fail_the_probe()
    {
        await using var crashing = new FakeServer();
        await using var refusing = new FakeServer(answer: _ => FakeAnswer.Error("42501"));

        (await TimelineHistoryReader.ReadAsync(crashing.ConnectionString, 3)).ShouldBeNull();
        (await TimelineHistoryReader.ReadAsync(refusing.ConnectionString, 3)).ShouldBeNull();
    }
}
