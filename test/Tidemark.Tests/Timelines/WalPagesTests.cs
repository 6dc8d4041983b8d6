using static Tidemark.Snapshots;

namespace Tidemark;

public sealed class WalPagesTests
{
    private const ulong Megabyte = 1 << 20;

    [Theory]
    [InlineData(8192 + 24, 8192)]
    [InlineData(8192 + 23, 8192 + 23)]
    [InlineData(8192 + 25, 8192 + 25)]
    [InlineData(8192 + 40, 8192 + 40)]
    [InlineData(8192, 8192)]
    [InlineData(24, 0)]
    [InlineData(Megabyte + 40, Megabyte)]
    [InlineData(Megabyte + 8192 + 40, Megabyte + 8192 + 40)]
    [InlineData(Megabyte + 24, Megabyte)]
    [InlineData(0, 0)]
    public void A_position_after_a_page_or_segment_header_is_moved_before_it(ulong insert,
        ulong moved) =>
        new WalPages(8192, Megabyte).BeforeHeader(At(insert)).ShouldBe(At(moved));

    [Fact]
    public void Pages_have_the_size_that_the_server_reports()
    {
        new WalPages(32768, 0).BeforeHeader(At(8192 + 24)).ShouldBe(At(8192 + 24));
        new WalPages(32768, 0).BeforeHeader(At(32768 + 24)).ShouldBe(At(32768));
    }

    [Fact]
    public void With_an_unknown_segment_size_only_page_headers_count()
    {
        WalPages.Usual.BeforeHeader(At(Megabyte + 40)).ShouldBe(At(Megabyte + 40));
        WalPages.Usual.BeforeHeader(At(Megabyte + 24)).ShouldBe(At(Megabyte));
    }
}
