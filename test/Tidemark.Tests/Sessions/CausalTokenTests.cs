using System.Buffers.Text;
using static Tidemark.Snapshots;

namespace Tidemark;

public sealed class CausalTokenTests
{
    private static readonly DateTimeOffset Expiry = new(2000, 1, 1, 1, 0, 0, TimeSpan.Zero);
    private static readonly byte[] Key = CausalToken.KeyOf("a secret of at least thirty-two characters")!;
    private static readonly TimelineChain Chain = TimelineChain.Empty.With([new Fork(1, 2, At(100), At(100))]);

    [Fact]
    public void A_token_round_trips_through_its_text()
    {
        var token = Token(Position(5_000, timeline: 2), Position(7_000, timeline: 2), key: Key);
        var read = CausalToken.Parse(token.ToString());

        (read.Cluster, read.Written, read.Observed, read.IsUnknown, read.ExpiresAt, read.IsSigned)
            .ShouldBe((Ours, Position(5_000, timeline: 2), Position(7_000, timeline: 2), false, Expiry, true));
        (read.BeginOf(written: true), read.BeginOf(written: false)).ShouldBe((At(100), At(100)));
        read.ShouldBe(token);
        read.GetHashCode().ShouldBe(token.GetHashCode());
        read.ShouldNotBe(Token(Position(5_001, timeline: 2), Position(7_000, timeline: 2)));
    }

    [Fact]
    public void A_token_may_contain_only_the_position_of_reads()
    {
        var read = CausalToken.Parse(Token(written: null, Position(7_000, timeline: 2)).ToString());

        (read.Written, read.Observed, read.BeginOf(written: false), read.IsSigned)
            .ShouldBe((null, Position(7_000, timeline: 2), At(100), false));
    }

    [Fact]
    public void Empty_and_unknown_tokens_are_valid()
    {
        CausalToken.Parse(Token(null, null).ToString())
            .ShouldSatisfyAllConditions(t => t.Written.ShouldBeNull(), t => t.IsUnknown.ShouldBeFalse());
        CausalToken.Parse(Token(null, null, isUnknown: true).ToString()).IsUnknown.ShouldBeTrue();
    }

    [Fact]
    public void The_largest_values_fit_into_the_documented_sizes()
    {
        var last = new WalPosition(uint.MaxValue, At(ulong.MaxValue));

        Token(last, null).ToBytes().Length.ShouldBeLessThanOrEqualTo(40);
        var signed = new CausalToken(ulong.MaxValue, last, last, unknown: default(UnknownPosition), DateTimeOffset.MaxValue, Chain, Key);
        signed.ToString().Length.ShouldBeLessThanOrEqualTo(CausalToken.MaxLength);
        signed.ToString().ShouldAllBe(c => char.IsAsciiLetterOrDigit(c) || c == '-' || c == '_');
        CausalToken.Parse(signed.ToString())
            .ShouldSatisfyAllConditions(t => t.Written.ShouldBe(last), t => t.Observed.ShouldBe(last),
                t => t.Cluster.ShouldBe(ulong.MaxValue));
    }

    [Fact]
    public void A_token_reports_the_earliest_timeline_that_it_contains()
    {
        Token(Position(1, timeline: 3), Position(1, timeline: 2)).EarliestTimeline.ShouldBe(2u);
        Token(Position(1, timeline: 2), Position(1, timeline: 3)).EarliestTimeline.ShouldBe(2u);
        Token(null, Position(1, timeline: 3)).EarliestTimeline.ShouldBe(3u);
        new CausalToken(Ours, Position(1, timeline: 3), null, new UnknownPosition(2), Expiry, Chain, key: null)
            .EarliestTimeline.ShouldBe(2u);
        Token(null, null).EarliestTimeline.ShouldBe(0u, "it carries nothing");
    }

    [Fact]
    public void A_signature_is_valid_only_for_its_own_key()
    {
        var signed = CausalToken.Parse(Token(Position(1), null, key: Key).ToString());

        signed.IsSignedBy(Key).ShouldBeTrue();
        signed.IsSignedBy(CausalToken.KeyOf("another secret of thirty-two characters")!).ShouldBeFalse();
        Token(Position(1), null).IsSignedBy(Key).ShouldBeFalse();
        CausalToken.KeyOf(null).ShouldBeNull();
        CausalToken.KeyOf("").ShouldBeNull("an empty setting is not a key");
    }

    [Fact]
    public void No_bit_of_a_signed_token_can_be_changed()
    {
        var bytes = Token(Position(1), Position(2), key: Key).ToBytes();
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            var forged = (byte[])bytes.Clone();
            forged[bit / 8] ^= (byte)(1 << (bit % 8));
            if (CausalToken.TryRead(forged, out var token, out _)) token.IsSignedBy(Key).ShouldBeFalse($"bit {bit}");
        }
    }

    [Fact]
    public void A_token_covers_only_an_earlier_position_on_its_timeline()
    {
        var token = Token(Position(200), Position(800));

        token.Covers(token).ShouldBeTrue();
        token.Covers(Token(Position(200), null, expiresAt: Expiry.AddHours(1))).ShouldBeTrue();
        token.Covers(Token(Position(100), Position(800))).ShouldBeTrue();
        token.Covers(Token(null, null)).ShouldBeTrue();
        token.Covers(Token(Position(201), null)).ShouldBeFalse();
        token.Covers(Token(null, Position(801))).ShouldBeFalse();
        Token(null, Position(800)).Covers(Token(Position(1), null)).ShouldBeFalse();
        token.Covers(Token(Position(1, timeline: 2), null)).ShouldBeFalse();
        Token(Position(9, timeline: 2), null).Covers(token).ShouldBeFalse("the timeline may have been left before the position");
        token.Covers(Token(null, null, isUnknown: true)).ShouldBeFalse();
        Token(null, null, isUnknown: true).Covers(Token(Position(1), null)).ShouldBeFalse("an unknown token also carries its timeline");
        token.Covers(new CausalToken(Theirs, Position(1), null, null, Expiry, Chain, null)).ShouldBeFalse();
    }

    [Theory]
    [InlineData(null, "it is empty")]
    [InlineData("", "it is empty")]
    [InlineData("AQ", "it is truncated")]
    [InlineData("not a token!", "it is not URL-safe Base64")]
    [InlineData("Zm9v+m9v", "it is not URL-safe Base64")]
    [InlineData("AgAAAAAAAAAAAAAAAAAA", "it has format version 2, and only version 1 is supported")]
    [InlineData("AQgAAAAAAAAAAAAAAAAA", "it is corrupted")]
    [InlineData("AQEAAAAAAAAAAAAAAAAA", "it is corrupted")]
    public void An_invalid_token_is_rejected_with_the_problem(string? text, string problem)
    {
        CausalToken.TryParse(text, null, out var token).ShouldBeFalse();
        token.ShouldBeNull();
        if (text is null) return;
        Should.Throw<FormatException>(() => CausalToken.Parse(text))
            .Message.ShouldBe($"The text is not a valid causal token: {problem}.");
    }

    [Fact]
    public void A_text_of_ten_kilobytes_is_rejected_as_too_long() =>
        Should.Throw<FormatException>(() => CausalToken.Parse(new string('A', 10_240))).Message.ShouldContain("10240 characters long");

    [Fact]
    public void A_text_of_the_maximum_length_is_parsed() =>
        Should.Throw<FormatException>(() => CausalToken.Parse(new string('A', CausalToken.MaxLength)))
            .Message.ShouldContain("format version 0");

    [Fact]
    public void A_null_text_is_an_argument_error() =>
        Should.Throw<ArgumentNullException>(() => CausalToken.Parse(null!));

    [Fact]
    public void Tokens_are_equal_by_content_regardless_of_signature()
    {
        var token = Token(Position(1), null);

        token.Equals((object)Token(Position(1), null, key: Key)).ShouldBeTrue();
        token.Equals((object)Token(Position(2), null)).ShouldBeFalse();
        token.Equals(token.ToString()).ShouldBeFalse();
        token.Equals((object?)null).ShouldBeFalse();
        Enumerable.Range(1, 100).Select(i => Token(Position((ulong)i), null).GetHashCode()).Distinct().Count()
            .ShouldBe(100, "tokens can be keys");
    }

    [Fact]
    public void A_truncated_or_extended_token_is_rejected()
    {
        var bytes = Token(Position(1), Position(2), key: Key).ToBytes();
        var whole = Token(Position(1), Position(2)).ToBytes().Length;
        for (var length = 0; length < bytes.Length; length++)
            CausalToken.TryRead(bytes.AsSpan(0, length), out _, out _).ShouldBe(length == whole, $"{length} bytes");
        CausalToken.TryRead([.. bytes, 0], out _, out _).ShouldBeFalse();
    }

    [Fact]
    public void Random_input_does_not_crash_the_token_parser()
    {
        var random = new Random(20_000);
        var whole = Token(Position(1), Position(2), key: Key).ToBytes();
        for (var i = 0; i < 10_000; i++)
        {
            var bytes = new byte[random.Next(0, 120)];
            random.NextBytes(bytes);
            if (i % 2 == 0 && bytes.Length > 1) (bytes[0], bytes[1]) = (1, (byte)random.Next(8));
            CausalToken.TryRead(bytes, out _, out _);
            CausalToken.TryParse(Base64Url.EncodeToString(bytes), null, out _);

            var text = new char[random.Next(0, 200)];
            for (var c = 0; c < text.Length; c++) text[c] = i % 3 == 0 ? (char)random.Next(char.MaxValue + 1) : (char)random.Next(32, 127);
            CausalToken.TryParse(new string(text), null, out _);

            var corrupted = Base64Url.EncodeToString(whole).ToCharArray();
            corrupted[random.Next(corrupted.Length)] = (char)random.Next(256);
            CausalToken.TryParse(new string(corrupted), null, out _);
        }
    }

    private static CausalToken Token(WalPosition? written, WalPosition? seen, bool isUnknown = false, DateTimeOffset? expiresAt = null,
        byte[]? key = null) =>
        new(Ours, written, seen, isUnknown ? default(UnknownPosition) : null, expiresAt ?? Expiry, Chain, key);
}
