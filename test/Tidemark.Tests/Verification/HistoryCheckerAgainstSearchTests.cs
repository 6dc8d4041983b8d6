using System.Globalization;
using Tidemark.Verification;

namespace Tidemark;

/// <summary>
/// Compares the checker with exhaustive search on random histories. Set the environment variable <c>TIDEMARK_SMALL_HISTORIES=50000</c> to
/// use more of them.
/// </summary>
public sealed class HistoryCheckerAgainstSearchTests
{
    private static readonly int Count =
        int.Parse(Environment.GetEnvironmentVariable("TIDEMARK_SMALL_HISTORIES") ?? "3000", CultureInfo.InvariantCulture);

    [Fact]
    public void The_checker_agrees_with_exhaustive_search_on_small_histories()
    {
        var (clean, forked, onPrimary, settled) = (0, 0, 0, 0);
        for (var seed = 0; seed < Count; seed++)
        {
            var small = new SmallHistory(seed);
            var search = new PrefixSearch(small);
            var history = small.Build();
            var verdict = HistoryChecker.Check(history);
            verdict.IsClean.ShouldBe(search.IsClean(), $"seed {seed}: {string.Join('\n', verdict.Violations)}\n{Text(history)}");
            if (verdict.IsClean) clean++;
            if (small.Reads.Any(read => read.OnPrimary)) onPrimary++;
            if (small.Commits.Any(commit => commit.SettledAt is not null)) settled++;
            if (small.ForkAt is not null)
            {
                forked++;
                continue;
            }

            verdict.Prefix.ShouldBe(search.Torn(), $"seed {seed}");
            verdict.ReadYourWrites.ShouldBe(search.MissingOwnWrites(), $"seed {seed}");
            verdict.Staleness.ShouldBe(search.Stale(), $"seed {seed}");
        }

        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{Count} histories agree, {clean} of them clean, {forked} with a fork, {onPrimary} with reads on a primary, {settled} with "
            + "settled writes.");
        clean.ShouldBeInRange(Count / 5, Count * 4 / 5);
        forked.ShouldBeGreaterThan(Count / 10);
        onPrimary.ShouldBeGreaterThan(Count / 2);
        settled.ShouldBeGreaterThan(Count / 10);
    }

    private static string Text(History history)
    {
        using var writer = new StringWriter();
        HistoryFile.Write(history, writer);
        return writer.ToString();
    }
}
