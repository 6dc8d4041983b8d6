using Tidemark.Verification;

namespace Tidemark;

public sealed class HistoryExportTests
{
    // Alice writes twice and reads while the second write is in progress. Bob's write has an unknown outcome, and another write fails. Ten
    // ticks are a second.
    private const string Small = """
        write 0 0 1 7 1 101 acknowledged
        write 0 2 5 7 2 102 acknowledged
        read 0 3 4 0 replica session - 7:1:101 8:0:0
        write 1 0 3 8 0 201 unknown
        write 1 4 6 8 0 202 failed
        read 1 7 8 1 replica session - 8:1:201 7:2:102
        commit 7 1 101 1 10
        commit 7 2 102 1 20
        commit 8 1 201 1 30
        """;

    [Fact]
    public void Plume_export_has_one_line_per_row_with_session_and_transaction() => Plume(Small).ShouldBe("""
        r(7,0,0,0)
        w(7,101,0,0)
        r(8,0,1,3)
        w(8,201,1,3)
        r(7,101,0,1)
        w(7,102,0,1)
        r(7,101,2,2)
        r(8,0,2,2)
        w(8,202,3,-1)
        r(8,201,3,5)
        r(7,102,3,5)

        """.ReplaceLineEndings("\n"));

    [Fact]
    public void Elle_export_has_appends_and_the_lists_that_versions_represent() => Elle(Small).ShouldBe("""
        {:index 0, :type :invoke, :process 0, :time 0, :f :txn, :value [[:r 7 nil] [:append 7 101]]}
        {:index 1, :type :invoke, :process 1, :time 0, :f :txn, :value [[:r 8 nil] [:append 8 201]]}
        {:index 2, :type :ok, :process 0, :time 100000000, :f :txn, :value [[:r 7 []] [:append 7 101]]}
        {:index 3, :type :invoke, :process 0, :time 200000000, :f :txn, :value [[:r 7 nil] [:append 7 102]]}
        {:index 4, :type :invoke, :process 2, :time 300000000, :f :txn, :value [[:r 7 nil] [:r 8 nil]]}
        {:index 5, :type :info, :process 1, :time 300000000, :f :txn, :value [[:r 8 nil] [:append 8 201]]}
        {:index 6, :type :invoke, :process 3, :time 400000000, :f :txn, :value [[:r 8 nil] [:append 8 202]]}
        {:index 7, :type :ok, :process 2, :time 400000000, :f :txn, :value [[:r 7 [101]] [:r 8 []]]}
        {:index 8, :type :ok, :process 0, :time 500000000, :f :txn, :value [[:r 7 [101]] [:append 7 102]]}
        {:index 9, :type :fail, :process 3, :time 600000000, :f :txn, :value [[:r 8 nil] [:append 8 202]]}
        {:index 10, :type :invoke, :process 3, :time 700000000, :f :txn, :value [[:r 8 nil] [:r 7 nil]]}
        {:index 11, :type :ok, :process 3, :time 800000000, :f :txn, :value [[:r 8 [201]] [:r 7 [101 102]]]}

        """.ReplaceLineEndings("\n"));

    [Fact]
    public void A_history_that_a_format_cannot_represent_is_rejected()
    {
        Should.Throw<NotSupportedException>(() => Plume("read 0 0 1 0 replica session - -1:0:0")).Message.ShouldContain("negative keys");
        Should.Throw<NotSupportedException>(() => Plume("write 0 0 1 1 1 0 acknowledged\ncommit 1 1 0 1 1"))
            .Message.ShouldContain("Operation #0 writes 0");
        Should.Throw<ArgumentOutOfRangeException>(() => HistoryExport.WritePlume(Histories.Of("fork 1 2 10"), TextWriter.Null, 3))
            .Message.ShouldContain("no timeline 3");
        Should.Throw<ArgumentOutOfRangeException>(() => HistoryExport.WriteElle(Histories.Of("fork 1 2 10"), TextWriter.Null, 0))
            .Message.ShouldContain("no timeline 0");
    }

    [Fact]
    public void A_history_with_a_fork_is_exported_one_timeline_at_a_time()
    {
        // Alice's second write is lost. The loss is reported to her session, which then reads what history continued with.
        var history = Histories.Of("""
            fork 1 2 10
            write 0 0 5 7 1 101 acknowledged
            write 0 6 9 7 2 102 acknowledged
            read 1 10 12 0 replica session - 7:2:102
            write 1 13 15 7 2 103 acknowledged
            read 0 16 20 0 replica session - 7:2:103
            loss 0 18
            commit 7 1 101 1 10
            commit 7 2 102 1 20
            commit 7 2 103 2 15
            """);
        history.Timelines.ShouldBe([1u, 2u]);
        Export(history, 1).ShouldBe("r(7,0,0,0)\nw(7,101,0,0)\nr(7,101,0,1)\nw(7,102,0,1)\nr(7,102,1,2)\n");
        Export(history, 2).ShouldBe("r(7,0,0,0)\nw(7,101,0,0)\nr(7,101,1,3)\nw(7,103,1,3)\nr(7,103,0,4)\n");
        Export(history, null).ShouldBe(Export(history, 2));
        static string Export(History history, uint? timeline)
        {
            using var writer = new StringWriter();
            HistoryExport.WritePlume(history, writer, timeline);
            return writer.ToString();
        }
    }

    [Theory]
    [InlineData("own writes", "read 0 20 25 0 replica session - 7:1:101")]
    [InlineData("monotonic reads", "read 1 20 25 0 replica session - 7:2:102\nread 1 26 30 1 replica session - 7:1:101")]
    [InlineData("a torn prefix", "write 0 16 18 8 1 202 acknowledged\ncommit 8 1 202 1 30\nread 1 20 25 0 replica session - 7:1:101 "
        + "8:1:202")]
    [InlineData("a failed write", "write 1 16 18 7 0 303 failed\nread 1 20 25 0 replica session - 7:3:303")]
    public void An_independent_checker_finds_planted_violations_in_both_exports(string what, string records)
    {
        const string Writes = "write 0 0 5 7 1 101 acknowledged\nwrite 0 10 15 7 2 102 acknowledged\ncommit 7 1 101 1 10\ncommit 7 2 "
            + "102 1 20\n";
        Histories.Check(Writes + records).IsClean.ShouldBeFalse(what);
        ExportedHistory.OfPlume(Plume(Writes + records)).IsWrong().ShouldBeTrue(what);
        ExportedHistory.OfElle(Elle(Writes + records)).IsWrong().ShouldBeTrue(what);
        var repaired = Writes
            + records.Replace("7:1:101", "7:2:102", StringComparison.Ordinal).Replace("7:3:303", "7:2:102", StringComparison.Ordinal);
        Histories.Check(repaired).IsClean.ShouldBeTrue(what);
        ExportedHistory.OfPlume(Plume(repaired)).IsWrong().ShouldBeFalse(what);
        ExportedHistory.OfElle(Elle(repaired)).IsWrong().ShouldBeFalse(what);
    }

    [Fact]
    public void Findings_of_an_independent_checker_are_violations_or_visibility_order()
    {
        var (violating, found, visibility) = (0, 0, 0);
        for (var seed = 0; seed < 3_000; seed++)
        {
            var history = new SmallHistory(seed).Build(ReadGuarantees.Session);
            var verdict = HistoryChecker.Check(history);
            var isFound = false;
            foreach (var timeline in history.Timelines)
            {
                using var plume = new StringWriter();
                using var elle = new StringWriter();
                HistoryExport.WritePlume(history, plume, timeline);
                HistoryExport.WriteElle(history, elle, timeline);
                var isWrong = ExportedHistory.OfPlume(plume.ToString()).IsWrong();
                (ExportedHistory.OfElle(elle.ToString()).IsWrong() && !isWrong)
                    .ShouldBeFalse($"seed {seed}: Elle's format says no more than Plume's");
                isFound |= isWrong;
            }

            if (verdict.IsClean && verdict.VisibilityOrder == 0) isFound.ShouldBeFalse($"seed {seed}");
            if (verdict.IsClean && isFound) visibility++;
            if (verdict.IsClean) continue;
            violating++;
            if (isFound) found++;
        }

        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{found} of {violating} violations, {visibility} clean histories with visibility order.");
        found.ShouldBeGreaterThan(violating / 3);
        visibility.ShouldBeGreaterThan(0, "visibility order looks like a violation to other checkers");
    }

    private static string Plume(string records) => Export((history, writer) => HistoryExport.WritePlume(history, writer), records);

    private static string Elle(string records) => Export((history, writer) => HistoryExport.WriteElle(history, writer), records);

    private static string Export(Action<History, TextWriter> export, string records)
    {
        using var writer = new StringWriter();
        export(Histories.Of(records), writer);
        return writer.ToString();
    }
}
