using static Tidemark.Snapshots;

namespace Tidemark;

/// <summary>The statement for a server that waits by itself. No such server is available to run it.</summary>
public sealed class WaitForLsnTests
{
    [Theory]
    [InlineData(50, "50ms")]
    [InlineData(0.2, "1ms")]
    public void The_position_is_a_literal_and_the_timeout_is_at_least_one_millisecond(double milliseconds, string expected) =>
        WaitForLsn.Text(Position(0x3000128), TimeSpan.FromMilliseconds(milliseconds))
            .ShouldBe($"WAIT FOR LSN '0/3000128' WITH (MODE 'standby_replay', TIMEOUT '{expected}', NO_THROW)");

    [Theory]
    [InlineData(15, false)]
    [InlineData(18, false)]
    [InlineData(19, true)]
    public void The_statement_is_used_with_PostgreSQL_19_and_later(int version, bool isThere) => WaitForLsn.IsIn(version).ShouldBe(isThere);
}
