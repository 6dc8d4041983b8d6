namespace Tidemark;

public sealed class ConsistencyTests
{
    public static TheoryData<string, Consistency> Levels => new()
    {
        { "Eventual", Consistency.Eventual },
        { "MonotonicReads", Consistency.MonotonicReads },
        { "ReadYourWrites", Consistency.ReadYourWrites },
        { "Session", Consistency.Session },
        { "Strong", Consistency.Strong },
        { "BoundedStaleness(00:01:00)", Consistency.BoundedStaleness(TimeSpan.FromMinutes(1)) },
        { "BoundedStaleness(2.00:00:00.0000001)", Consistency.BoundedStaleness(TimeSpan.FromDays(2) + TimeSpan.FromTicks(1)) },
        { "Session within 00:00:30", Consistency.Session.Within(TimeSpan.FromSeconds(30)) },
        { "ReadYourWrites within 00:00:30", Consistency.ReadYourWrites.Within(TimeSpan.FromSeconds(30)) },
        { "MonotonicReads within 00:00:00.2500000", Consistency.MonotonicReads.Within(TimeSpan.FromMilliseconds(250)) },
        { "Strong within 00:00:30", Consistency.Strong.Within(TimeSpan.FromSeconds(30)) },
    };

    [Theory]
    [InlineData("Eventual", "Eventual", "Eventual")]
    [InlineData("Eventual", "MonotonicReads", "MonotonicReads")]
    [InlineData("Eventual", "ReadYourWrites", "ReadYourWrites")]
    [InlineData("Eventual", "Session", "Session")]
    [InlineData("Eventual", "Strong", "Strong")]
    [InlineData("MonotonicReads", "ReadYourWrites", "Session")]
    [InlineData("MonotonicReads", "Session", "Session")]
    [InlineData("MonotonicReads", "Strong", "Strong")]
    [InlineData("ReadYourWrites", "Session", "Session")]
    [InlineData("ReadYourWrites", "Strong", "Strong")]
    [InlineData("Session", "Strong", "Strong")]
    [InlineData("Strong", "Strong", "Strong")]
    [InlineData("Eventual", "BoundedStaleness(00:00:05)", "BoundedStaleness(00:00:05)")]
    [InlineData("Session", "BoundedStaleness(00:00:05)", "Session within 00:00:05")]
    [InlineData("Strong", "BoundedStaleness(00:00:05)", "Strong within 00:00:05")]
    [InlineData("BoundedStaleness(00:00:05)", "BoundedStaleness(00:00:04)", "BoundedStaleness(00:00:04)")]
    [InlineData("ReadYourWrites within 00:00:04", "MonotonicReads within 00:00:05", "Session within 00:00:04")]
    public void The_most_demanding_level_meets_the_demands_of_both_levels(string one, string other, string both)
    {
        var (a, b) = (Consistency.Parse(one), Consistency.Parse(other));
        Consistency.MostDemanding(a, b).ShouldBe(Consistency.Parse(both));
        Consistency.MostDemanding(b, a).ShouldBe(Consistency.Parse(both));
        Consistency.MostDemanding(a, a).ShouldBe(a);
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public void A_level_round_trips_through_its_text(string text, Consistency level)
    {
        level.ToString().ShouldBe(text);
        Consistency.Parse(text).ShouldBe(level);
        Consistency.Parse($"  {text.ToUpperInvariant()} ").ShouldBe(level);
        Consistency.Parse(text.ToLowerInvariant().AsSpan()).ShouldBe(level);
    }

    [Fact]
    public void Eventual_within_a_bound_equals_BoundedStaleness() =>
        Consistency.Parse("Eventual within 00:00:05").ShouldBe(Consistency.BoundedStaleness(TimeSpan.FromSeconds(5)));

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("Fierce")]
    [InlineData("7")]
    [InlineData("Session,Strong")]
    [InlineData("Session within")]
    [InlineData("Session within soon")]
    [InlineData("Session within 00:00:00")]
    [InlineData("Session within -00:00:01")]
    [InlineData("Sessionwithin 00:00:30")]
    [InlineData("within 00:00:30")]
    [InlineData("BoundedStaleness")]
    [InlineData("BoundedStaleness(")]
    [InlineData("BoundedStaleness()")]
    [InlineData("BoundedStaleness(00:00:00)")]
    [InlineData("BoundedStaleness(00:01:00")]
    [InlineData("BoundedStaleness(00:01:00) within 00:00:01")]
    public void An_invalid_level_is_rejected_with_the_list_of_levels(string text)
    {
        Consistency.TryParse(text, null, out var level).ShouldBeFalse();
        level.ShouldBe(default);
        Should.Throw<FormatException>(() => Consistency.Parse(text)).Message
            .ShouldBe($"'{text}' is not a consistency level. The levels are Strong, Session, ReadYourWrites, MonotonicReads, "
                + "BoundedStaleness(00:01:00), Eventual.");
    }

    [Fact]
    public void A_null_text_is_not_a_level()
    {
        Consistency.TryParse(null, null, out _).ShouldBeFalse();
        Should.Throw<ArgumentNullException>(() => Consistency.Parse(null!));
    }

    [Fact]
    public void The_default_value_is_the_weakest_level() => default(Consistency).ShouldBe(Consistency.Eventual);

    [Fact]
    public void A_bound_of_zero_or_less_is_rejected()
    {
        Should.Throw<ArgumentOutOfRangeException>(() => Consistency.BoundedStaleness(TimeSpan.Zero));
        Should.Throw<ArgumentOutOfRangeException>(() => Consistency.Session.Within(TimeSpan.FromTicks(-1)));
    }
}
