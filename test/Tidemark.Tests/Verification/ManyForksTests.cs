using Tidemark.Verification;

namespace Tidemark;

/// <summary>Histories with many timelines: the memory and time of the checker do not grow with the square of their number.</summary>
public sealed class ManyForksTests
{
    private const int Forks = 20_000;

    // A table of all pairs of timelines alone would need 3,200 MB.
    private const long MostBytes = 200_000_000;

    [Theory]
    [InlineData("chain")]
    [InlineData("star")]
    [InlineData("random")]
    public void Twenty_thousand_forks_are_checked_in_little_memory(string shape)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        var verdict = HistoryChecker.Check(WithForks(shape).Build());
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        TestContext.Current.TestOutputHelper?.WriteLine($"{allocated:N0} bytes");
        allocated.ShouldBeLessThan(MostBytes);
        verdict.Violations.Select(violation => violation.Kind).ShouldBe([ViolationKind.ReadYourWrites]);
        verdict.Reads.ShouldBe(Forks + 2);
    }

    [Fact]
    public void Tree_lookups_agree_with_climbing_the_tree()
    {
        for (var seed = 0; seed < 20; seed++)
        {
            var random = new Random(seed);
            var (parents, begins) = (new int[42], new long[42]);
            List<ForkRecord> forks = [];
            for (var child = 2; child < parents.Length; child++)
            {
                parents[child] = seed % 2 == 0 ? random.Next(1, child) : int.Max(1, child - random.Next(1, 4));
                begins[child] = begins[parents[child]] + random.Next(5);
                forks.Add(new ForkRecord((uint)parents[child], (uint)child, begins[child], child));
            }

            var tree = WalTree.Grow(forks, []);
            for (var of = 0; of < tree.Count; of++)
            {
                for (var on = 0; on < tree.Count; on++)
                {
                    tree.Reach(on, of).ShouldBe(Climb(on, of), $"seed {seed}: {of} along {on}");
                    var common = Line(on).Intersect(Line(of)).First();
                    tree.Common(on, of).ShouldBe(common, $"seed {seed}: {on} and {of}");
                    var branch = common == of ? of : Line(of).TakeWhile(one => one != common).Last();
                    if (branch > 1) tree.PartedNotBefore(on, of).ShouldBe(branch, $"seed {seed}: {on} from {of}");
                }
            }

            for (var i = 0; i < 200; i++)
            {
                var (on, rank) = (random.Next(1, tree.Count), (long)random.Next(20));
                List<(int Timeline, long Rank)> without =
                    [.. Enumerable.Range(0, random.Next(4)).Select(_ => (random.Next(1, tree.Count), (long)random.Next(20)))];
                var latest = Enumerable.Range(1, tree.Count - 1)
                    .Where(of => of == on
                    || (IsBeyond(on, rank, of) && !without.Any(position => IsBeyond(position.Timeline, position.Rank, of)))).Max();
                tree.Latest(on, rank, without).ShouldBe(latest, $"seed {seed}");
            }

            IEnumerable<int> Line(int of)
            {
                for (; of != 0; of = parents[of]) yield return of;
                yield return 0;
            }

            long Climb(int on, int of)
            {
                if (on == of) return long.MaxValue;
                for (; of > 1; of = parents[of])
                {
                    if (parents[of] == on) return begins[of];
                }

                return -1;
            }

            bool IsBeyond(int on, long rank, int of) => of != on && Climb(on, of) >= rank;
        }
    }

    // On each timeline a session writes a key of its own and reads it. A last read uses an old timeline. Half the writes are made after
    // their timeline was left.
    private static HistoryBuilder WithForks(string shape)
    {
        var random = new Random(1);
        var builder = new HistoryBuilder();
        var node = builder.AddNode("replica");
        var begins = new long[Forks + 2];
        for (var child = 2; child <= Forks + 1; child++)
        {
            var parent = shape switch { "chain" => child - 1, "star" => 1, _ => random.Next(1, child) };
            begins[child] = begins[parent] + 10;
            builder.Fork((uint)parent, (uint)child, begins[child]);
        }

        for (var timeline = 1; timeline <= Forks + 1; timeline++)
        {
            var (client, at) = (builder.AddClient(), timeline * 100L);
            builder.Write(client, at, at + 1, timeline, 1, timeline, HistoryOutcome.Acknowledged);
            builder.Commit(timeline, 1, timeline, (uint)timeline, begins[timeline] + (timeline % 2 == 0 ? 5 : 15));
            if (timeline <= Forks)
                builder.Read(client, at + 2, at
                    + 3, node, onPrimary: false, [new Observation(timeline, 1, timeline)], ReadGuarantees.Session,
                    TimeSpan.FromTicks(1000));
            else
                builder.Read(client, at + 2, at + 3, node, onPrimary: false, [new Observation(timeline, 0, 0)], ReadGuarantees.Session);
        }

        builder.Read(builder.AddClient(), 5, 6, node, onPrimary: false, [new Observation(0, 0, 0)], ReadGuarantees.Session);
        return builder;
    }
}
