using Tidemark.Testing;

namespace Tidemark;

public sealed class ProbeDeadlineTests
{
    private static readonly TimeSpan Probe = TimeSpan.FromMilliseconds(750);
    private static readonly TimeSpan Connect = TimeSpan.FromSeconds(5);

    private readonly VirtualTime _time = new();

    [Fact]
    public void The_first_connection_has_the_connect_timeout_and_queries_the_probe_timeout()
    {
        var deadline = New();
        deadline.Sent();
        deadline.Allowance.ShouldBe(Connect);
        deadline.Connecting();
        deadline.Allowance.ShouldBe(Connect);

        _time.Advance(TimeSpan.FromSeconds(2));
        deadline.Connected();
        deadline.Asking();
        deadline.Allowance.ShouldBe(Probe);
        deadline.DueBy.ShouldBe((TimeSpan.FromSeconds(2) + Probe).Ticks);
    }

    [Theory]
    [InlineData(10, 750)]
    [InlineData(400, 1600)]
    [InlineData(4000, 5000)]
    public void A_later_connection_may_take_a_few_times_the_quickest(int quickestMs, int allowedMs)
    {
        var deadline = New();
        Connected(deadline, TimeSpan.FromMilliseconds(quickestMs));
        Connected(deadline, TimeSpan.FromMilliseconds(quickestMs + 500));

        deadline.ConnectAllowance.ShouldBe(TimeSpan.FromMilliseconds(allowedMs));
    }

    [Fact]
    public void An_unreached_node_is_waited_for_no_longer_than_the_probe_timeout()
    {
        var deadline = New();
        deadline.Connecting();

        deadline.ConnectAllowance.ShouldBe(Probe);
    }

    [Fact]
    public void A_probe_time_out_longer_than_the_connect_time_out_bounds_the_connection_too()
    {
        var deadline = new ProbeDeadline(_time, TimeSpan.FromSeconds(20), Connect);

        deadline.ConnectAllowance.ShouldBe(TimeSpan.FromSeconds(20));
    }

    private ProbeDeadline New() => new(_time, Probe, Connect);

    private void Connected(ProbeDeadline deadline, TimeSpan after)
    {
        deadline.Connecting();
        _time.Advance(after);
        deadline.Connected();
    }
}
