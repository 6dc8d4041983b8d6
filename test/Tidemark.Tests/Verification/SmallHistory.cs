using Tidemark.Verification;

namespace Tidemark;

/// <summary>A small random history, with or without a fork. Many of them are possible, and many are not.</summary>
internal sealed class SmallHistory
{
    private const int Keys = 2;
    private const int Clients = 3;
    private const int Watermark = 24;

    private readonly Random _random;

    public SmallHistory(int seed)
    {
        _random = new Random(seed);
        DrawCommits();
        DrawReads();
        for (var i = _random.Next(3); i > 0; i--)
        {
            var at = Times();
            HandOvers.Add((_random.Next(Clients), _random.Next(Clients), at.Start, at.End));
        }
    }

    public sealed record Commit(int Key, int Version, int Value, int Timeline, int Rank, int Client, int Start, int End,
        HistoryOutcome Outcome, int? SettledAt);

    public sealed record Read(bool OnPrimary, int Client, int Start, int End, ReadGuarantees Asks, int? MaxStaleness, Observation[] Rows);

    public List<Commit> Commits { get; } = [];

    public List<Read> Reads { get; } = [];

    public List<(int From, int To, int ExportedAt, int ImportedAt)> HandOvers { get; } = [];

    /// <summary>The rank at which timeline 2 began, or <see langword="null"/> if none exists.</summary>
    public int? ForkAt { get; private set; }

    /// <param name="asks">The guarantees that all reads require, or <see langword="null"/> to draw them for each read.</param>
    public History Build(ReadGuarantees? asks = null)
    {
        var builder = new HistoryBuilder(TimeSpan.TicksPerSecond);
        var (replica, primary) = (builder.AddNode("replica"), builder.AddNode("primary"));
        for (var i = 0; i < Clients; i++) builder.AddClient();
        if (ForkAt is { } at) builder.Fork(1, 2, at);
        foreach (var commit in Commits)
        {
            builder.Commit(commit.Key, commit.Version, commit.Value, (uint)commit.Timeline, commit.Rank);
            builder.Write(commit.Client, commit.Start, commit.End, commit.Key, commit.Version, commit.Value, commit.Outcome);
            if (commit.SettledAt is { } time) builder.Settle(commit.Value, time);
        }

        foreach (var read in Reads)
        {
            var bound = read.MaxStaleness is { } ticks ? TimeSpan.FromTicks(ticks) : (TimeSpan?)null;
            builder.Read(read.Client, read.Start, read.End, read.OnPrimary ? primary : replica, read.OnPrimary, read.Rows, asks
                ?? read.Asks, bound);
        }

        foreach (var handOver in HandOvers) builder.HandOver(handOver.From, handOver.To, handOver.ExportedAt, handOver.ImportedAt);
        return builder.Build();
    }

    private void DrawCommits()
    {
        var versions = new int[Keys];
        var forkAfter = _random.Next(3) == 0 ? _random.Next(4) : int.MaxValue;
        var atFork = new int[Keys];
        var count = _random.Next(1, 5);
        for (var rank = 1; rank <= count; rank++)
        {
            if (rank - 1 == forkAfter) atFork = [.. versions];
            Draw(timeline: 1, rank, versions);
        }

        if (forkAfter >= count) return;
        ForkAt = forkAfter;
        var after = _random.Next(1, 3);
        for (var rank = forkAfter + 1; rank <= forkAfter + after; rank++) Draw(timeline: 2, rank, atFork);
    }

    private void Draw(int timeline, int rank, int[] versions)
    {
        var key = _random.Next(Keys);
        var (start, end) = Times();
        // Mostly in WAL order, since otherwise hardly any history would be clean.
        if (_random.Next(5) > 0)
            (start, end) = ((4 * rank) - 3 + (4 * (timeline - 1)), (4 * rank) - 1 - _random.Next(2) + (4 * (timeline - 1)));
        var outcome = _random.Next(4) == 0 ? HistoryOutcome.Unknown : HistoryOutcome.Acknowledged;
        int? settledAt = outcome == HistoryOutcome.Unknown && _random.Next(2) == 0 ? start + _random.Next(10) : null;
        Commits.Add(
            new Commit(key, ++versions[key], 100 + Commits.Count, timeline, rank, _random.Next(Clients), start, end, outcome, settledAt));
    }

    private void DrawReads()
    {
        for (var count = _random.Next(1, 5); count > 0; count--)
        {
            var (start, end) = Times();
            var keys = Enumerable.Range(0, Keys).Where(_ => _random.Next(3) > 0).DefaultIfEmpty(_random.Next(Keys));
            int? maxStaleness = _random.Next(4) == 0 ? _random.Next(12) : null;
            var onPrimary = _random.Next(3) == 0;
            var states = onPrimary ? PrefixSearch.PrimaryStates(this) : PrefixSearch.ReplicaStates(this);
            var state = states[_random.Next(states.Count)].Commits;
            Observation[] rows = [.. keys.Select(key => _random.Next(6) == 0 ? AnyRow(key) : RowIn(state, key))];
            Reads.Add(new Read(onPrimary, _random.Next(Clients), start, end, (ReadGuarantees)_random.Next(4), maxStaleness, rows));
        }
    }

    private Observation AnyRow(int key)
    {
        Commit?[] versions = [null, .. Commits.Where(commit => commit.Key == key)];
        return Row(key, versions[_random.Next(versions.Length)]);
    }

    private Observation RowIn(int state, int key) =>
        Row(key, Commits.Where((commit, i) => commit.Key == key && (state >> i & 1) == 1).MaxBy(commit => commit.Version));

    private static Observation Row(int key, Commit? commit) => new(key, commit?.Version ?? 0, commit?.Value ?? 0);

    private (int Start, int End) Times()
    {
        var start = _random.Next(Watermark);
        return (start, start + _random.Next(6));
    }
}
