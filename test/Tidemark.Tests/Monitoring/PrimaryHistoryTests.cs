using static Tidemark.Snapshots;

namespace Tidemark;

public sealed class PrimaryHistoryTests
{
    private const long Second = TimeSpan.TicksPerSecond;

    [Fact]
    public void A_position_has_reached_the_latest_sample_that_it_is_not_behind()
    {
        var history = PrimaryHistory.Empty.Add(10, 1, At(100)).Add(20, 1, At(200)).Add(30, 1, At(200)).Add(40, 1, At(300));

        history.ReachedAt(1, At(99)).ShouldBeNull();
        history.ReachedAt(1, At(100)).ShouldBe(10);
        history.ReachedAt(1, At(199)).ShouldBe(10);
        history.ReachedAt(1, At(200)).ShouldBe(30, "an idle primary makes nothing stale");
        history.ReachedAt(1, At(9_000)).ShouldBe(40);
    }

    [Fact]
    public void A_position_on_one_timeline_proves_nothing_about_another()
    {
        var history = PrimaryHistory.Empty.Add(10, 1, At(100)).Add(20, 2, At(50));

        history.ReachedAt(1, At(9_000)).ShouldBe(10, "a standby left behind on a dead timeline misses what came after");
        history.ReachedAt(2, At(49)).ShouldBeNull();
        history.ReachedAt(2, At(50)).ShouldBe(20);
        history.ReachedAt(3, At(50)).ShouldBeNull();
        history.LatestTimeline.ShouldBe(2u);
        PrimaryHistory.Empty.LatestTimeline.ShouldBe(0u);
    }

    [Theory]
    [InlineData(10)]
    [InlineData(100)]
    [InlineData(1_000)]
    public void An_hour_of_samples_stays_small_and_gives_ages_within_a_tenth(int milliseconds)
    {
        var interval = milliseconds * TimeSpan.TicksPerMillisecond;
        var history = PrimaryHistory.Empty;
        long now = 0;
        var most = 0;
        for (; now <= 3_600 * Second; now += interval)
        {
            history = history.Add(now, 1, At((ulong)now));
            most = Math.Max(most, history.Count);
        }

        most.ShouldBeLessThanOrEqualTo(256);
        now -= interval;
        for (var age = interval; age < 3_600 * Second; age += age / 7 + 1)
        {
            var reached = history.ReachedAt(1, At((ulong)(now - age))).ShouldNotBeNull();
            var error = now - age - reached;
            error.ShouldBeInRange(0, Math.Max(interval, age / 9), $"{age / Second} s ago");
        }
    }

    [Fact]
    public void A_history_holds_at_most_256_samples_and_drops_the_oldest_first()
    {
        // Each interval is a sixteenth of the remaining time. No entry is dropped as too dense, and there are more entries than the limit.
        var history = PrimaryHistory.Empty;
        var (left, latest) = (3_600 * 1_000 * Second, 0L);
        for (var i = 1; i <= 300; i++)
        {
            latest = (3_600 * 1_000 * Second) - left;
            history = history.Add(latest, 1, At((ulong)i));
            left -= left / 16;
        }

        history.Count.ShouldBe(256);
        history.ReachedAt(1, At(44)).ShouldBeNull("it was dropped");
        history.ReachedAt(1, At(45)).ShouldNotBeNull();
        history.ReachedAt(1, At(300)).ShouldBe(latest);
    }
}
