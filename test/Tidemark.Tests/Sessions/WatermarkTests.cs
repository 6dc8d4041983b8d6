using NpgsqlTypes;

namespace Tidemark;

public sealed class WatermarkTests
{
    // A replica that has replayed to the end of a page reports the start of the next record, which is after the header of the next page.
    // The primary's insert position is reported before that header.
    [Theory]
    [InlineData(8192, false)]
    [InlineData(8192 + 24, false)]
    [InlineData(8192 + 32, true)]
    public void A_position_of_another_process_is_not_beyond_the_primary_by_a_page_header(uint replayed, bool isBeyond)
    {
        var primary = new NodeState { Name = "a", Index = 0, Timeline = 1, InsertLsn = new NpgsqlLogSequenceNumber(8192) };
        var watermark = new Watermark(isWritten: false);
        watermark.Add(new KnownPosition(new WalPosition(1, new NpgsqlLogSequenceNumber(replayed)), KnownPosition.Unknown));

        watermark.IsBeyond(primary).ShouldBe(isBeyond);
        (watermark.Verify(primary) is null).ShouldBe(!isBeyond);
    }
}
