using Tidemark.Testing;

namespace Tidemark;

public sealed class VirtualTimeTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly VirtualTime time = new(new DateTimeOffset(2026, 1, 1, 2, 0, 0, TimeSpan.FromHours(2)));
    private readonly List<string> fired = [];

    [Fact]
    public void Both_clocks_move_by_exactly_what_was_advanced()
    {
        var before = time.GetTimestamp();
        time.Advance(TimeSpan.FromTicks(12345));

        time.GetElapsedTime(before).ShouldBe(TimeSpan.FromTicks(12345));
        time.GetUtcNow().ShouldBe(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero).AddTicks(12345));
        time.GetUtcNow().Offset.ShouldBe(TimeSpan.Zero);
        time.GetLocalNow().ShouldBe(time.GetUtcNow());
    }

    [Fact]
    public void A_timer_fires_at_its_instant_and_not_one_tick_before()
    {
        Arm("a", Second);
        time.Advance(Second - TimeSpan.FromTicks(1));
        fired.ShouldBeEmpty();
        time.Advance(TimeSpan.FromTicks(1));
        fired.ShouldBe(["a@1"]);
    }

    [Fact]
    public void Timers_fire_by_due_time_and_then_in_the_order_they_were_armed()
    {
        Arm("late", 2 * Second);
        Arm("first", Second);
        Arm("second", Second);
        time.Advance(5 * Second);
        fired.ShouldBe(["first@1", "second@1", "late@2"]);
    }

    [Fact]
    public void A_periodic_timer_fires_once_for_each_period_passed()
    {
        using var timer = Arm("p", Second, 2 * Second);
        time.Advance(6 * Second);
        fired.ShouldBe(["p@1", "p@3", "p@5"]);
    }

    [Fact]
    public void A_due_time_of_zero_waits_for_the_next_advance_even_by_zero()
    {
        Arm("now", TimeSpan.Zero);
        fired.ShouldBeEmpty();
        time.UntilNextTimer.ShouldBe(TimeSpan.Zero);
        time.Advance(TimeSpan.Zero);
        fired.ShouldBe(["now@0"]);
        time.UntilNextTimer.ShouldBeNull();
    }

    [Fact]
    public void A_timer_armed_by_a_callback_takes_part_in_the_same_advance()
    {
        using var outer = time.CreateTimer(_ => Arm("inner", Second), null, Second, Timeout.InfiniteTimeSpan);
        time.Advance(2 * Second);
        fired.ShouldBe(["inner@2"]);
    }

    [Fact]
    public void A_timer_disposed_by_one_due_at_the_same_instant_does_not_fire()
    {
        ITimer? victim = null;
        using var killer = time.CreateTimer(_ => victim!.Dispose(), null, Second, Timeout.InfiniteTimeSpan);
        victim = Arm("victim", Second);
        time.Advance(Second);
        fired.ShouldBeEmpty();
        victim.Change(Second, Second).ShouldBeFalse();
    }

    [Fact]
    public void A_changed_timer_forgets_its_old_schedule_and_queues_behind_the_others()
    {
        using var moved = Arm("moved", Second, Second);
        Arm("stays", 3 * Second);
        moved.Change(3 * Second, Timeout.InfiniteTimeSpan).ShouldBeTrue();
        time.UntilNextTimer.ShouldBe(3 * Second);
        time.Advance(9 * Second);
        fired.ShouldBe(["stays@3", "moved@3"]);
    }

    [Fact]
    public void An_infinite_due_time_disarms()
    {
        using var timer = Arm("never", Second, Second);
        timer.Change(Timeout.InfiniteTimeSpan, Second);
        time.Advance(9 * Second);
        fired.ShouldBeEmpty();
    }

    [Fact]
    public void A_callback_may_advance_time_itself_and_time_does_not_go_back()
    {
        using var leap = time.CreateTimer(_ => time.Advance(10 * Second), null, Second, Timeout.InfiniteTimeSpan);
        Arm("between", 4 * Second);
        time.Advance(2 * Second);
        fired.ShouldBe(["between@4"]);
        time.GetElapsedTime(0).ShouldBe(11 * Second);
    }

    [Fact]
    public void An_exception_of_a_callback_comes_out_and_later_timers_stay_armed()
    {
        using var broken = time.CreateTimer(_ => throw new InvalidOperationException("broken"), null, Second, Timeout.InfiniteTimeSpan);
        Arm("later", 2 * Second);
        Should.Throw<InvalidOperationException>(() => time.Advance(3 * Second)).Message.ShouldBe("broken");
        time.GetElapsedTime(0).ShouldBe(Second);
        time.Advance(Second);
        fired.ShouldBe(["later@2"]);
    }

    [Fact]
    public void A_callback_sees_the_async_locals_of_whoever_created_the_timer()
    {
        var local = new AsyncLocal<string> { Value = "creator" };
        using var timer = time.CreateTimer(_ => fired.Add(local.Value!), null, Second, Timeout.InfiniteTimeSpan);
        local.Value = "advancer";
        time.Advance(Second);
        fired.ShouldBe(["creator"]);
        local.Value.ShouldBe("advancer");
    }

    [Fact]
    public async Task Delays_timeouts_and_periodic_timers_of_the_framework_obey_it()
    {
        var delay = Task.Delay(3 * Second, time, TestContext.Current.CancellationToken);
        using var timeout = new CancellationTokenSource(2 * Second, time);
        using var periodic = new PeriodicTimer(Second, time);
        var tick = periodic.WaitForNextTickAsync(TestContext.Current.CancellationToken);

        time.Advance(2 * Second);
        (await tick).ShouldBeTrue();
        timeout.IsCancellationRequested.ShouldBeTrue();
        delay.IsCompleted.ShouldBeFalse();

        time.Advance(Second);
        await delay;
    }

    [Fact]
    public void Time_does_not_go_back_and_timers_refuse_what_a_real_timer_refuses()
    {
        Should.Throw<ArgumentOutOfRangeException>(() => time.Advance(-Second));
        Should.Throw<ArgumentOutOfRangeException>(() => Arm("negative", -Second));
        Should.Throw<ArgumentOutOfRangeException>(() => Arm("too long", TimeSpan.FromDays(50)));
    }

    private ITimer Arm(string name, TimeSpan due) => Arm(name, due, Timeout.InfiniteTimeSpan);

    private ITimer Arm(string name, TimeSpan due, TimeSpan period) =>
        time.CreateTimer(_ => fired.Add($"{name}@{time.GetElapsedTime(0).TotalSeconds}"), null, due, period);
}
