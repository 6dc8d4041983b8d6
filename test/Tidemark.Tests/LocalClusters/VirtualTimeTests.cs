using Tidemark.Testing;

namespace Tidemark;

public sealed class VirtualTimeTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly VirtualTime _time = new(new DateTimeOffset(2026, 1, 1, 2, 0, 0, TimeSpan.FromHours(2)));
    private readonly List<string> _fired = [];

    [Fact]
    public void Both_clocks_move_by_exactly_what_was_advanced()
    {
        var before = _time.GetTimestamp();
        _time.Advance(TimeSpan.FromTicks(12345));

        _time.GetElapsedTime(before).ShouldBe(TimeSpan.FromTicks(12345));
        _time.GetUtcNow().ShouldBe(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero).AddTicks(12345));
        _time.GetUtcNow().Offset.ShouldBe(TimeSpan.Zero);
        _time.GetLocalNow().ShouldBe(_time.GetUtcNow());
    }

    [Fact]
    public void A_timer_fires_at_its_instant_and_not_one_tick_before()
    {
        Arm("a", Second);
        _time.Advance(Second - TimeSpan.FromTicks(1));
        _fired.ShouldBeEmpty();
        _time.Advance(TimeSpan.FromTicks(1));
        _fired.ShouldBe(["a@1"]);
    }

    [Fact]
    public void Timers_fire_by_due_time_and_then_in_the_order_they_were_armed()
    {
        Arm("late", 2 * Second);
        Arm("first", Second);
        Arm("second", Second);
        _time.Advance(5 * Second);
        _fired.ShouldBe(["first@1", "second@1", "late@2"]);
    }

    [Fact]
    public void A_periodic_timer_fires_once_for_each_period_passed()
    {
        using var timer = Arm("p", Second, 2 * Second);
        _time.Advance(6 * Second);
        _fired.ShouldBe(["p@1", "p@3", "p@5"]);
    }

    [Fact]
    public void A_due_time_of_zero_waits_for_the_next_advance_even_by_zero()
    {
        Arm("now", TimeSpan.Zero);
        _fired.ShouldBeEmpty();
        _time.UntilNextTimer.ShouldBe(TimeSpan.Zero);
        _time.Advance(TimeSpan.Zero);
        _fired.ShouldBe(["now@0"]);
        _time.UntilNextTimer.ShouldBeNull();
    }

    [Fact]
    public void A_timer_armed_by_a_callback_takes_part_in_the_same_advance()
    {
        using var outer = _time.CreateTimer(_ => Arm("inner", Second), null, Second, Timeout.InfiniteTimeSpan);
        _time.Advance(2 * Second);
        _fired.ShouldBe(["inner@2"]);
    }

    [Fact]
    public void A_timer_disposed_by_one_due_at_the_same_instant_does_not_fire()
    {
        ITimer? victim = null;
        using var killer = _time.CreateTimer(_ => victim!.Dispose(), null, Second, Timeout.InfiniteTimeSpan);
        victim = Arm("victim", Second);
        _time.Advance(Second);
        _fired.ShouldBeEmpty();
        victim.Change(Second, Second).ShouldBeFalse();
    }

    [Fact]
    public void A_changed_timer_drops_its_schedule_and_queues_after_the_others()
    {
        using var moved = Arm("moved", Second, Second);
        Arm("stays", 3 * Second);
        moved.Change(3 * Second, Timeout.InfiniteTimeSpan).ShouldBeTrue();
        _time.UntilNextTimer.ShouldBe(3 * Second);
        _time.Advance(9 * Second);
        _fired.ShouldBe(["stays@3", "moved@3"]);
    }

    [Fact]
    public void An_infinite_due_time_disarms()
    {
        using var timer = Arm("never", Second, Second);
        timer.Change(Timeout.InfiniteTimeSpan, Second);
        _time.Advance(9 * Second);
        _fired.ShouldBeEmpty();
    }

    [Fact]
    public void A_callback_may_advance_time_itself_and_time_does_not_go_back()
    {
        using var leap = _time.CreateTimer(_ => _time.Advance(10 * Second), null, Second, Timeout.InfiniteTimeSpan);
        Arm("between", 4 * Second);
        _time.Advance(2 * Second);
        _fired.ShouldBe(["between@4"]);
        _time.GetElapsedTime(0).ShouldBe(11 * Second);
    }

    [Fact]
    public void An_exception_of_a_callback_comes_out_and_later_timers_stay_armed()
    {
        using var broken = _time.CreateTimer(_ => throw new InvalidOperationException("broken"), null, Second, Timeout.InfiniteTimeSpan);
        Arm("later", 2 * Second);
        Should.Throw<InvalidOperationException>(() => _time.Advance(3 * Second)).Message.ShouldBe("broken");
        _time.GetElapsedTime(0).ShouldBe(Second);
        _time.Advance(Second);
        _fired.ShouldBe(["later@2"]);
    }

    [Fact]
    public void A_callback_has_the_async_locals_of_the_creator_of_the_timer()
    {
        var local = new AsyncLocal<string> { Value = "creator" };
        using var timer = _time.CreateTimer(_ => _fired.Add(local.Value!), null, Second, Timeout.InfiniteTimeSpan);
        local.Value = "advancer";
        _time.Advance(Second);
        _fired.ShouldBe(["creator"]);
        local.Value.ShouldBe("advancer");
    }

    [Fact]
    public async Task Delays_timeouts_and_periodic_timers_of_the_framework_obey_it()
    {
        var delay = Task.Delay(3 * Second, _time, TestContext.Current.CancellationToken);
        using var timeout = new CancellationTokenSource(2 * Second, _time);
        using var periodic = new PeriodicTimer(Second, _time);
        var tick = periodic.WaitForNextTickAsync(TestContext.Current.CancellationToken);

        _time.Advance(2 * Second);
        (await tick).ShouldBeTrue();
        timeout.IsCancellationRequested.ShouldBeTrue();
        delay.IsCompleted.ShouldBeFalse();

        _time.Advance(Second);
        await delay;
    }

    [Fact]
    public void Time_does_not_go_back_and_timers_refuse_what_a_real_timer_refuses()
    {
        Should.Throw<ArgumentOutOfRangeException>(() => _time.Advance(-Second));
        Should.Throw<ArgumentOutOfRangeException>(() => Arm("negative", -Second));
        Should.Throw<ArgumentOutOfRangeException>(() => Arm("too long", TimeSpan.FromDays(50)));
    }

    private ITimer Arm(string name, TimeSpan due) => Arm(name, due, Timeout.InfiniteTimeSpan);

    private ITimer Arm(string name, TimeSpan due, TimeSpan period) =>
        _time.CreateTimer(_ => _fired.Add($"{name}@{_time.GetElapsedTime(0).TotalSeconds}"), null, due, period);
}
