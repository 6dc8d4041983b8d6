using NpgsqlTypes;

namespace Tidemark;

public sealed class FreshnessStoreTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_key_has_the_latest_position_that_was_recorded_for_it()
    {
        var store = new InMemoryFreshnessStore();
        (await PositionAsync(store, "order:42")).ShouldBeNull();
        await store.AdvanceAsync("order:42", Token(500), Stop);
        await store.AdvanceAsync("order:42", Token(300), Stop);

        (await PositionAsync(store, "order:42")).ShouldBe(500UL);
        (await PositionAsync(store, "ORDER:42")).ShouldBeNull();

        // A later timeline is later, regardless of its LSN.
        await store.AdvanceAsync("order:42", Token(100, timeline: 2), Stop);
        await store.AdvanceAsync("order:42", Token(900), Stop);
        (await PositionAsync(store, "order:42")).ShouldBe(100UL);
    }

    [Theory]
    [InlineData(100_000)]
    [InlineData(3)]
    public async Task Keys_never_move_back_when_advanced_concurrently(int maxKeys)
    {
        var store = new InMemoryFreshnessStore(maxKeys);
        await Parallel.ForAsync(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = Stop }, async (worker, stop) =>
        {
            var random = new Random(worker);
            var last = new ulong[6];
            for (var i = 0; i < 5_000; i++)
            {
                var key = random.Next(last.Length);
                var noted = (ulong)random.Next(1, 1_000_000);
                await store.AdvanceAsync($"key {key}", Token(noted), stop);
                var found = (await store.FindAsync($"key {key}", stop))!.Written!.Value.Lsn;
                ((ulong)found).ShouldBeGreaterThanOrEqualTo(Math.Max(noted, last[key]));
                last[key] = (ulong)found;
            }
        });
    }

    [Fact]
    public async Task Discarded_and_unknown_keys_have_the_latest_discarded_position()
    {
        var store = new InMemoryFreshnessStore(maxKeys: 2);
        await store.AdvanceAsync("a", Token(900), Stop);
        await store.AdvanceAsync("b", Token(200), Stop);
        (await PositionAsync(store, "never")).ShouldBeNull();

        await store.AdvanceAsync("c", Token(300), Stop);
        (await PositionAsync(store, "a")).ShouldBe(900UL);
        (await PositionAsync(store, "never")).ShouldBe(900UL);
        (await PositionAsync(store, "b")).ShouldBe(200UL);

        // A late advance of a discarded key does not move it back.
        await store.AdvanceAsync("a", Token(400), Stop);
        (await PositionAsync(store, "a")).ShouldBe(900UL);
    }

    [Fact]
    public async Task The_key_recorded_longest_ago_is_discarded_first()
    {
        var store = new InMemoryFreshnessStore(maxKeys: 2);
        await store.AdvanceAsync("a", Token(100), Stop);
        await store.AdvanceAsync("b", Token(700), Stop);
        await store.AdvanceAsync("a", Token(110), Stop);
        await store.AdvanceAsync("c", Token(120), Stop);

        (await PositionAsync(store, "a")).ShouldBe(110UL);
        (await PositionAsync(store, "never")).ShouldBe(700UL);
    }

    public static TheoryData<string> NoKeys => ["", new string('k', 201), "order\n42", "order\u0000", "\u007f"];

    [Fact]
    public Task An_unpaired_surrogate_is_not_a_valid_key() => An_invalid_key_is_rejected("\ud83d");

    [Fact]
    public Task A_reversed_surrogate_pair_is_not_a_valid_key() => An_invalid_key_is_rejected("\ude00\ud83d");

    [Theory]
    [MemberData(nameof(NoKeys))]
    public async Task An_invalid_key_is_rejected(string key)
    {
        FreshnessStore[] stores = [new InMemoryFreshnessStore(), new TableFreshnessStore()];
        foreach (var store in stores)
        {
            await Should.ThrowAsync<ArgumentException>(async () => await store.AdvanceAsync(key, Token(1), Stop));
            await Should.ThrowAsync<ArgumentException>(async () => await store.FindAsync(key, Stop));
        }
    }

    [Fact]
    public async Task Any_other_text_of_up_to_200_characters_is_a_valid_key()
    {
        var store = new InMemoryFreshnessStore();
        foreach (var key in (string[])["k", new string('k', 200), "заказ 42", "'; DROP TABLE x; --", "\ud83d\ude00"])
        {
            await store.AdvanceAsync(key, Token(5), Stop);
            (await PositionAsync(store, key)).ShouldBe(5UL);
        }
    }

    [Fact]
    public async Task A_token_without_a_written_position_or_of_another_cluster_is_rejected()
    {
        var store = new InMemoryFreshnessStore();
        await Should.ThrowAsync<ArgumentException>(async () => await store.AdvanceAsync("k", Token(null), Stop));
        await store.AdvanceAsync("k", Token(5), Stop);
        await Should.ThrowAsync<ArgumentException>(async () => await store.AdvanceAsync("k", Token(9, cluster: 2), Stop));
        (await PositionAsync(store, "k")).ShouldBe(5UL);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a.b.c")]
    [InlineData(".a")]
    [InlineData("a\0b")]
    public void An_invalid_table_name_is_rejected(string table) =>
        Should.Throw<ArgumentException>(() => new TableFreshnessStore(table));

    [Fact]
    public void A_table_name_is_quoted_with_its_schema() =>
        new TableFreshnessStore("ops.Fresh\"ness").Ddl.ShouldContain("\"ops\".\"Fresh\"\"ness\" (");

    [Theory]
    [InlineData(0)]
    [InlineData(10_000_001)]
    public void A_limit_out_of_bounds_is_rejected(int maxKeys) =>
        Should.Throw<ArgumentOutOfRangeException>(() => new InMemoryFreshnessStore(maxKeys));

    private static async Task<ulong?> PositionAsync(FreshnessStore store, string key) =>
        (ulong?)(await store.FindAsync(key, Stop))?.Written?.Lsn;

    private static CausalToken Token(ulong? position, uint timeline = 1, ulong cluster = 1) => new(
        cluster, position is { } p
            ? new WalPosition(timeline, new NpgsqlLogSequenceNumber(p))
            : null, null, unknown: null, DateTimeOffset.MaxValue, TimelineChain.Empty, key: null);
}
