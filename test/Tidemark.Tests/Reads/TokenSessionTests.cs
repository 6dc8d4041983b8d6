using Tidemark.Testing;
using static Tidemark.Snapshots;

namespace Tidemark;

public sealed class TokenSessionTests : IAsyncDisposable
{
    private const string Key = "a secret of at least thirty-two characters";

    private readonly VirtualTime _time = new();
    private readonly ProbeAnswer[] _answers = [Primary(500), Replica(500)];
    private readonly RecordedLog _log = new();
    private readonly List<TidemarkDataSource> _sources = [];

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        foreach (var source in _sources) await source.DisposeAsync();
        _log.Dispose();
    }

    [Fact]
    public async Task A_session_continues_from_its_token_in_another_process()
    {
        var (here, there) = (Source(Key), Source(Key));
        CausalToken token;
        using (var session = here.BeginSession())
        {
            session.MarkWritten();
            session.Observe(here.Cluster.Monitor.Snapshot.Nodes[0], onPrimary: true, new KnownPosition(Position(600), 0));
            token = await here.CaptureTokenAsync(Cancelled);
        }

        (token.Written, token.Observed, token.IsUnknown, token.IsSigned).ShouldBe((Position(500), Position(600), false, true));
        using var next = there.BeginSession(CausalToken.Parse(token.ToString()));
        (next.Written, next.Observed, next.HasMoved).ShouldBe((Position(500), Position(600), false));
    }

    [Fact]
    public async Task A_token_of_observations_that_could_not_be_resolved_is_unknown()
    {
        var source = Source();
        using var session = source.BeginSession();
        session.Observe(source.Cluster.Monitor.Snapshot.Nodes[1], onPrimary: false);
        _answers[0] = Silence;
        await source.Cluster.Monitor.SampleAsync(0, Cancelled);

        var token = await source.CaptureTokenAsync(Cancelled);
        (token.IsUnknown, token.Observed).ShouldBe((true, null));
        using var next = source.BeginSession(token);
        next.Require(ConsistencyDemands.Observed).PrimaryBecause.ShouldBe(RouteReason.ObservedPositionUnknown);
    }

    [Theory]
    [InlineData(null, null, true)]
    [InlineData(null, Key, true)]
    [InlineData(Key, Key, true)]
    [InlineData(Key, null, false)]
    [InlineData(Key, "another secret of thirty-two characters", false)]
    public void A_token_signed_with_another_key_is_unknown(string? own, string? signedWith, bool isAccepted)
    {
        using var session = Source(own).BeginSession(Token(Position(400), signedWith: signedWith));

        session.Written.ShouldBe(isAccepted ? Position(400) : null);
        session.IsUnknown.ShouldBe(!isAccepted);
    }

    [Fact]
    public void An_expired_token_is_unknown()
    {
        var source = Source();
        var token = Token(Position(400), expiresIn: TimeSpan.FromSeconds(10));
        _time.Advance(TimeSpan.FromSeconds(9));
        using (var fresh = source.BeginSession(token)) fresh.Written.ShouldBe(Position(400));

        _time.Advance(TimeSpan.FromSeconds(1));
        using var expired = source.BeginSession(token);
        (expired.Written, expired.IsUnknown).ShouldBe((null, true));
    }

    [Fact]
    public void Tokens_that_are_not_accepted_are_logged_once_a_minute()
    {
        var source = Source(Key);
        void Receive() => source.BeginSession(Token(Position(400))).Dispose();
        _time.Advance(TimeSpan.FromSeconds(1));

        Receive();
        Receive();
        _time.Advance(TimeSpan.FromSeconds(59));
        Receive();
        _log.Entries.Count(e => e.Event == "TokenRejected").ShouldBe(1);

        _time.Advance(TimeSpan.FromSeconds(1));
        Receive();
        _log.Entries.Count(e => e.Event == "TokenRejected").ShouldBe(2);
    }

    [Fact]
    public void A_token_of_another_cluster_is_rejected_even_before_the_first_probe()
    {
        var source = Source(wait: false);
        var error = Should.Throw<ArgumentException>(() => source.BeginSession(Token(Position(400), cluster: Theirs)));

        error.Message.ShouldStartWith("The token belongs to cluster 9009, but this is cluster 7001");
        source.CurrentSession.ShouldBeNull();
    }

    [Fact]
    public void A_token_is_unknown_while_the_cluster_is_unknown()
    {
        (_answers[0], _answers[1]) = (Silence, Silence);
        using var session = Source().BeginSession(Token(Position(400)));

        session.IsUnknown.ShouldBeTrue();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_position_on_a_different_timeline_with_the_same_number_is_certainly_lost(bool wasWritten)
    {
        _answers[0] = Primary(500, timeline: 2) with { Forks = [new Fork(1, 2, At(300), At(300))] };
        var source = Source();
        var lost = new List<LostWrite>();
        source.WriteLost += (_, lostWrite) => lost.Add(lostWrite);
        var elsewhere = TimelineChain.Empty.With([new Fork(1, 2, At(200), At(200))]);
        var position = Position(400, timeline: 2);

        using var session = source.BeginSession(Token(wasWritten ? position : null, seen: wasWritten ? null : position, chain: elsewhere));
        lost.ShouldBeEmpty("the next read reports it");
        await source.Watermarks.PrepareAsync(session, IoMode.Async, Cancelled);
        source.Watermarks.Validate(session);

        lost.ShouldHaveSingleItem().ShouldSatisfyAllConditions(
            l => (l.Position, l.IsCertain, l.WasWritten).ShouldBe((position, true, wasWritten)),
            l => l.Reason.ShouldBe("it was on a timeline 2 that began at 0/C8, but timeline 2 of this cluster began at 0/12C"));
        session.Require(ConsistencyDemands.Observed).PrimaryBecause.ShouldBe(RouteReason.ObservedPositionUnknown);
    }

    [Fact]
    public void A_position_on_the_same_timeline_is_accepted()
    {
        var forks = new[] { new Fork(1, 2, At(300), At(300)) };
        _answers[0] = Primary(500, timeline: 2) with { Forks = forks };
        using var session = Source().BeginSession(Token(Position(400, timeline: 2), chain: TimelineChain.Empty.With(forks)));

        (session.Written, session.IsUnknown).ShouldBe((Position(400, timeline: 2), false));
    }

    [Fact]
    public void A_stored_position_binds_every_level_and_is_unknown_if_of_another_cluster()
    {
        var source = Source();
        using var session = source.BeginSession();
        source.Tokens.Include(session, Token(Position(400)));
        (session.Written, session.Observed, session.IsUnknown).ShouldBe((Position(400), Position(400), false));

        source.Tokens.Include(session, Token(Position(450), cluster: Theirs));
        session.IsUnknown.ShouldBeTrue("the table was restored from a dump");
        _log.Entries.ShouldContain(e => e.Event == "TokenRejected");
    }

    [Fact]
    public async Task A_forged_token_reports_no_loss()
    {
        _answers[0] = Primary(500, timeline: 2) with { Forks = [new Fork(1, 2, At(300), At(300))] };
        var source = Source(Key);
        source.WriteLost += (_, _) => throw new InvalidOperationException("it was not signed");
        using var session =
            source.BeginSession(Token(Position(400, timeline: 2), chain: TimelineChain.Empty.With([new Fork(1, 2, At(200), At(200))])));
        await source.Watermarks.PrepareAsync(session, IoMode.Async, Cancelled);

        session.IsUnknown.ShouldBeTrue();
    }

    [Fact]
    public void A_known_position_is_kept_next_to_an_unknown_one()
    {
        using var session = Source().BeginSession(Token(Position(400)), Token(null, isUnknown: true));
        session.IsUnknown.ShouldBeTrue();

        var promoted = Of(Primary(500), Replica(380)).Then(0, Silence).Then(1, Primary(390, timeline: 2));
        session.Validate(promoted).ShouldNotBeNull("the known place is compared with history").Position.ShouldBe(Position(400));
    }

    [Fact]
    public void A_session_that_begins_after_several_tokens_includes_each_of_them()
    {
        using var session = Source(Key).BeginSession(
            Token(Position(400), signedWith: Key), Token(Position(300), seen: Position(450), signedWith: Key),
                Token(null, signedWith: Key));

        (session.Written, session.Observed, session.HasMoved).ShouldBe((Position(400), Position(450), false));
    }

    [Fact]
    public void One_token_of_several_that_is_not_signed_makes_the_session_unknown()
    {
        using var session = Source(Key).BeginSession(Token(Position(400), signedWith: Key), Token(Position(450)));

        session.IsUnknown.ShouldBeTrue();
    }

    [Fact]
    public void Tokens_of_two_clusters_are_rejected_with_an_error_that_names_both()
    {
        foreach (var isKnown in (bool[])[true, false])
        {
            if (!isKnown) (_answers[0], _answers[1]) = (Silence, Silence);
            var source = Source();
            using var outer = source.BeginSession();

            Should.Throw<ArgumentException>(() => source.BeginSession(Token(Position(400)), Token(Position(400), cluster: Theirs)))
                .Message.ShouldStartWith("The tokens belong to clusters 7001 and 9009");
            source.CurrentSession.ShouldBeSameAs(outer);
            (outer.Written, outer.IsUnknown).ShouldBe((null, false));
        }
    }

    [Fact]
    public void A_null_token_among_several_is_rejected()
    {
        var source = Source();

        Should.Throw<ArgumentException>(() => source.BeginSession(Token(Position(400)), (CausalToken)null!))
            .Message.ShouldStartWith("One of the tokens is null");
        Should.Throw<ArgumentException>(() => source.BeginSession([Token(Position(400), cluster: Theirs)]))
            .Message.ShouldStartWith("The token belongs to cluster 9009");
        source.CurrentSession.ShouldBeNull();
        using (var alone = source.BeginSession(null)) alone.IsUnknown.ShouldBeFalse();
        using var session = source.BeginSession([]);
        source.CurrentSession.ShouldBeSameAs(session);
    }

    [Fact]
    public void A_token_that_is_included_later_binds_the_session_and_its_next_token()
    {
        var source = Source(Key);
        using var session = source.BeginSession(Token(Position(300), signedWith: Key));
        session.NeedsNewToken.ShouldBeFalse();

        session.Include(Token(Position(400), signedWith: Key));

        (session.Written, session.HasMoved, session.NeedsNewToken).ShouldBe((Position(400), false, true));
        session.Include(Token(Position(450)));
        session.IsUnknown.ShouldBeTrue("it is not signed");
    }

    [Fact]
    public void A_token_that_cannot_be_included_changes_nothing()
    {
        var source = Source();
        var session = source.BeginSession();

        Should.Throw<ArgumentException>(() => session.Include(Token(Position(400), cluster: Theirs)))
            .Message.ShouldStartWith("The token belongs to cluster 9009");
        Should.Throw<ArgumentNullException>(() => session.Include(null!));
        (session.Written, session.IsUnknown, session.NeedsNewToken).ShouldBe((null, false, false));
        session.Dispose();
        Should.Throw<ObjectDisposedException>(() => session.Include(Token(Position(400))));
    }

    // A capture is atomic: it happens before or after a write begins, never in between.
    [Fact]
    public async Task A_token_that_is_captured_during_a_write_is_unknown()
    {
        var source = Source();
        using var session = source.BeginSession(Token(Position(400)));
        session.Capture(ConsistencyDemands.Written).ShouldBe(new CapturedWatermarks(Position(400), null, null, IsInDoubt: false));

        session.BeginWrite().ShouldBeTrue();

        session.Capture(ConsistencyDemands.Written).ShouldBe(new CapturedWatermarks(null, null, new UnknownPosition(1), IsInDoubt: false));
        (await source.CaptureTokenAsync(Cancelled)).IsUnknown.ShouldBeTrue();
        session.AbandonWrite();
        (await source.CaptureTokenAsync(Cancelled)).Written.ShouldBe(Position(400));
    }

    [Fact]
    public async Task Outside_a_session_there_is_nothing_to_capture() =>
        (await Should.ThrowAsync<InvalidOperationException>(async () => await Source().CaptureTokenAsync(Cancelled)))
            .Message.ShouldStartWith("No session is active");

    [Fact]
    public void A_bound_below_the_probe_interval_is_rejected()
    {
        var source = Source();
        var tooTight = Consistency.BoundedStaleness(TimeSpan.FromMilliseconds(1));

        Should.Throw<ArgumentOutOfRangeException>(() => source.Require(tooTight))
            .Message.ShouldContain("one every 00:00:00.1000000 (ProbeInterval)");
        Should.Throw<ArgumentOutOfRangeException>(() => source.Explain(tooTight));
        Should.Throw<ArgumentOutOfRangeException>(() => source.OpenReadConnection(tooTight));
        using (source.Require(Consistency.BoundedStaleness(TimeSpan.FromMilliseconds(100)))) source.Explain().Node.ShouldNotBeNull();
    }

    [Fact]
    public void The_clusters_bound_tightens_every_level_and_loosens_none()
    {
        var source = Source(maxStaleness: TimeSpan.FromSeconds(10));

        source.Effective(Consistency.Session).ShouldBe(Consistency.Session.Within(TimeSpan.FromSeconds(10)));
        source.Effective(Consistency.BoundedStaleness(TimeSpan.FromMinutes(1))).MaxStaleness.ShouldBe(TimeSpan.FromSeconds(10));
        source.Effective(Consistency.BoundedStaleness(TimeSpan.FromSeconds(1))).MaxStaleness.ShouldBe(TimeSpan.FromSeconds(1));
        source.Effective(null).ShouldBe(Consistency.Session.Within(TimeSpan.FromSeconds(10)));
    }

    private CausalToken Token(
        WalPosition? written, ulong cluster = Ours, WalPosition? seen = null, bool isUnknown = false, string? signedWith = null,
            TimeSpan? expiresIn = null, TimelineChain? chain = null) =>
        new(cluster, written, seen, isUnknown ? default(UnknownPosition) : null, _time.GetUtcNow()
            + (expiresIn ?? TimeSpan.FromHours(1)), chain ?? TimelineChain.Empty, CausalToken.KeyOf(signedWith));

    private TidemarkDataSource Source(string? key = null, bool wait = true, TimeSpan? maxStaleness = null)
    {
        var builder =
            new TidemarkDataSourceBuilder { TimeProvider = _time,
            ProbeNodes = async (index, _) => { await Task.Yield(); return _answers[index]; } };
        (builder.Options.TokenKey, builder.Options.MaxStaleness, builder.LoggerFactory) = (key, maxStaleness, _log);
        builder.AddNode("pg-1", "Host=none.invalid").AddNode("pg-2", "Host=none.invalid");
        var source = builder.Build();
        _sources.Add(source);
        if (wait) source.Cluster.Monitor.FirstRound();
        return source;
    }
}
