using static Tidemark.Snapshots;

namespace Tidemark;

/// <summary>
/// A browser sends requests in parallel, and the responses arrive in any order. The next request must carry all of their writes.
/// </summary>
public sealed class CookieSlotsTests
{
    private static readonly DateTimeOffset Expiry = new(2000, 1, 1, 1, 0, 0, TimeSpan.Zero);

    [Fact]
    public void A_slow_response_does_not_hide_the_newer_write_of_a_fast_one()
    {
        var jar = new Jar();
        var (slow, quick) = (jar.Send(), jar.Send());
        slow.Write(100);
        quick.Write(200);

        jar.Arrive(quick);
        jar.Arrive(slow);

        jar.Send().Known.ShouldBe(200UL);
    }

    [Fact]
    public void With_one_cookie_a_slow_response_hides_the_newer_write()
    {
        var jar = new Jar { NewName = () => ".Tidemark.one" };
        var (slow, quick) = (jar.Send(), jar.Send());
        slow.Write(100);
        quick.Write(200);

        jar.Arrive(quick);
        jar.Arrive(slow);

        jar.Send().Known.ShouldBe(100UL);
    }

    [Fact]
    public void Sequential_requests_have_one_cookie()
    {
        var jar = new Jar();
        for (var position = 1UL; position <= 20; position++)
        {
            var request = jar.Send();
            request.Write(position);
            jar.Arrive(request);
            jar.Count.ShouldBe(1);
            jar.Arrive(jar.Send());
            jar.Count.ShouldBe(1);
        }
    }

    [Fact]
    public void Parallel_responses_set_one_cookie_each_and_the_next_response_leaves_one()
    {
        foreach (var writes in (bool[])[true, false])
        {
            var jar = new Jar();
            Request[] parallel = [.. Enumerable.Range(0, 5).Select(_ => jar.Send())];
            for (var i = 0; i < parallel.Length; i++) parallel[i].Write((ulong)i + 1);
            foreach (var request in parallel) jar.Arrive(request);
            jar.Count.ShouldBe(5);

            var next = jar.Send();
            if (writes) next.Write(10);
            jar.Arrive(next);
            (jar.Count, jar.Send().Known).ShouldBe((1, writes ? 10UL : 5UL));
        }
    }

    [Fact]
    public void One_of_two_equal_slots_is_kept_by_all_responses()
    {
        var slots = new CookieSlots([Slot("a", 7), Slot("b", 7), Slot("c", 6)]);
        slots.Prune().Deleted.ShouldBe([CookieSlots.Prefix + "a", CookieSlots.Prefix + "c"]);
        slots.Prune().Set.ShouldBeNull();
        new CookieSlots([Slot("a", 7)]).Prune().ShouldBe(CookieChange.None);
    }

    [Fact]
    public void A_cookie_that_a_browser_sends_twice_is_not_deleted() =>
        new CookieSlots([Slot("a", 7), Slot("a", 6)]).Prune().Deleted.ShouldBeEmpty("deleting it would delete both");

    [Fact]
    public void A_slot_whose_content_cannot_be_compared_is_kept_until_a_token_replaces_it()
    {
        var damaged = new CookieSlot(CookieSlots.Prefix + "a", null);
        var later = new CookieSlot(CookieSlots.Prefix + "b", Token(Position(5, timeline: 2)));
        var slots = new CookieSlots([damaged, later, Slot("c", 6)]);

        slots.IsUnknown.ShouldBeTrue();
        slots.Tokens.Count().ShouldBe(2);
        slots.Prune().Deleted.ShouldBeEmpty();
        slots.Replace("new", hasWritten: false, isCrowded: false).ShouldSatisfyAllConditions(
            c => c.Set.ShouldBe("new"),
            c => c.Deleted.ShouldBe([CookieSlots.Prefix + "a", CookieSlots.Prefix + "b", CookieSlots.Prefix + "c"]));
    }

    [Fact]
    public void Further_responses_share_an_overflow_slot_that_no_response_deletes()
    {
        var crowded = new CookieSlots([Slot("a", 7)]).Replace("new", hasWritten: true, isCrowded: true);
        (crowded.Set, crowded.Overflow, crowded.Deleted.Count).ShouldBe((null, CookieSlots.Overflow, 0));
        new CookieSlots([Slot("a", 7)]).Replace("new", hasWritten: false, isCrowded: true).ShouldBe(CookieChange.None);

        var next = new CookieSlots([new CookieSlot(CookieSlots.Overflow, null), Slot("a", 7)]);
        next.IsUnknown.ShouldBeTrue();
        next.Replace("new", hasWritten: true, isCrowded: false).Deleted.ShouldBe([CookieSlots.Prefix + "a"]);
        next.Prune().Deleted.ShouldBeEmpty();
    }

    [Fact]
    public void An_overflow_slot_carries_its_timeline_and_is_deleted_once_that_has_ended()
    {
        var crowded = new CookieSlots([]).Replace("new", hasWritten: true, isCrowded: true, since: 3, latest: 3);
        crowded.Overflow.ShouldBe(".Tidemark.all.3");

        var next = new CookieSlots([new CookieSlot(crowded.Overflow!, null), new CookieSlot(CookieSlots.OverflowSince(4), null)]);
        (next.IsUnknown, next.UnknownSince).ShouldBe((true, 3u));
        next.Replace("new", hasWritten: true, isCrowded: false, since: 4, latest: 4)
            .Deleted.ShouldBe([".Tidemark.all.3"], "later ones may be set again");
        next.Replace("new", hasWritten: true, isCrowded: false).Deleted.ShouldBeEmpty("the latest timeline is not known");
        new CookieSlots([new CookieSlot(CookieSlots.Overflow, null)]).UnknownSince.ShouldBe(0u);
        new CookieSlots([new CookieSlot(".Tidemark.all.x", null)]).UnknownSince.ShouldBe(0u);
    }

    [Fact]
    public void New_names_are_unique_and_are_slot_names()
    {
        HashSet<string> names = [.. Enumerable.Range(0, 1000).Select(_ => CookieSlots.NewName())];
        names.Count.ShouldBe(1000);
        names.ShouldAllBe(name => CookieSlots.IsSlot(name) && name.Length == CookieSlots.Prefix.Length + 8);
        CookieSlots.IsSlot(CookieSlots.Overflow).ShouldBeTrue();
        CookieSlots.IsSlot(".Tidemark").ShouldBeFalse();
        CookieSlots.IsSlot(".Tidemark.").ShouldBeFalse();
        CookieSlots.IsSlot(".AspNetCore.Session").ShouldBeFalse("another cookie of the application");
    }

    // 20 browsers with up to 12 requests in progress, for 2,000 steps each.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_request_carries_what_arrived_before_it_in_any_order_of_responses(bool hasFault)
    {
        var missed = 0;
        for (var seed = 0; seed < 20; seed++)
        {
            var random = new Random(seed);
            var name = 0;
            var jar = new Jar { NewName = () => hasFault ? $".Tidemark.{random.Next(4)}" : $".Tidemark.n{name++}" };
            var underWay = new List<Request>();
            var position = 0UL;
            for (var step = 0; step < 2000; step++)
            {
                if (underWay.Count == 0 || (underWay.Count < 12 && random.Next(2) == 0))
                {
                    underWay.Add(jar.Send());
                    if (underWay[^1].Known < jar.Arrived) missed++;
                    continue;
                }

                var request = underWay[random.Next(underWay.Count)];
                if (!request.IsAnswered && random.Next(3) > 0) request.Write(++position);
                request.IsCrowded = random.Next(10) == 0;
                if (random.Next(2) == 0) request.Answer();
                if (!request.IsAnswered) continue;
                underWay.Remove(request);
                jar.Arrive(request);
            }
        }

        if (hasFault) missed.ShouldBeGreaterThan(0, "four shared names are too few");
        else missed.ShouldBe(0);
    }

    private static CookieSlot Slot(string name, ulong position) => new(CookieSlots.Prefix + name, Token(Position(position)));

    private static CausalToken Token(WalPosition written) => new(Ours, written, null, null, Expiry, TimelineChain.Empty, null);

    /// <summary>A browser's cookies, changed in the order in which responses arrive.</summary>
    private sealed class Jar
    {
        private readonly Dictionary<string, CausalToken?> _cookies = [];

        public Func<string> NewName { get; init; } = CookieSlots.NewName;

        public int Count => _cookies.Count;

        /// <summary>The latest position in any response that has arrived.</summary>
        public ulong Arrived { get; private set; }

        public Request Send() => new(this, [.. _cookies.Select(c => new CookieSlot(c.Key, c.Value))]);

        public void Arrive(Request request)
        {
            request.Answer();
            if (request.Change.Set is { } name) _cookies[name] = request.Token;
            if (request.Change.Overflow is { } overflow) _cookies[overflow] = null;
            foreach (var deleted in request.Change.Deleted) _cookies.Remove(deleted);
            if (request.Written > 0) Arrived = Math.Max(Arrived, request.Written);
        }
    }

    private sealed class Request(Jar jar, IReadOnlyList<CookieSlot> brought)
    {
        private readonly CookieSlots _slots = new(brought);

        /// <summary>What its reads include, or the maximum if unknown, because the primary is queried.</summary>
        public ulong Known => _slots.IsUnknown ? ulong.MaxValue : Merged;

        public ulong Written { get; private set; }

        public bool IsCrowded { get; set; }

        public bool IsAnswered { get; private set; }

        public CausalToken? Token { get; private set; }

        public CookieChange Change { get; private set; }

        private ulong Merged => _slots.Tokens.Select(t => (ulong)t.Written!.Value.Lsn).Append(0UL).Max();

        public void Write(ulong position) => Written = position;

        public void Answer()
        {
            if (IsAnswered) return;
            IsAnswered = true;
            Change = Written == 0 ? _slots.Prune() : _slots.Replace(jar.NewName(), hasWritten: true, IsCrowded);
            if (Change.Set is not null) Token = CookieSlotsTests.Token(Position(Math.Max(Merged, Written)));
        }
    }
}
