using static Tidemark.Snapshots;

namespace Tidemark;

/// <summary>The text for a server that waits by itself; no such server can be had to run it.</summary>
public sealed class WaitForLsnTests
{
    [Theory]
    [InlineData(50, "50ms")]
    [InlineData(0.2, "1ms")]
    public void The_position_is_a_literal_and_the_time_out_is_whole_milliseconds_and_never_for_ever(double milliseconds, string expected) =>
        WaitForLsn.Text(Position(0x3000128), TimeSpan.FromMilliseconds(milliseconds))
            .ShouldBe($"WAIT FOR LSN '0/3000128' WITH (MODE 'standby_replay', TIMEOUT '{expected}', NO_THROW)");

    [Theory]
    [InlineData(15, false)]
    [InlineData(18, false)]
    [InlineData(19, true)]
    public void It_is_asked_of_servers_from_19_on(int version, bool isThere) => WaitForLsn.IsIn(version).ShouldBe(isThere);
}
