using Tidemark.Testing;

namespace Tidemark;

public sealed class HistoryExportTests
{
    // Alice writes twice and reads while the second write is under way; bob's write breaks off, and another one fails. Ten ticks are a second.
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
    public void Plume_and_AWDIT_get_one_line_for_each_row_with_its_session_and_transaction() => Plume(Small).ShouldBe("""
        w(7,101,0,0)
        w(8,201,1,3)
        w(7,102,0,1)
        r(7,101,2,2)
        r(8,0,2,2)
        w(8,202,3,-1)
        r(8,201,3,5)
        r(7,102,3,5)

        """.ReplaceLineEndings("\n"));

    [Fact]
    public void Elle_gets_appends_and_the_lists_that_versions_stand_for() => Elle(Small).ShouldBe("""
        {:index 0, :type :invoke, :process 0, :time 0, :f :txn, :value [[:append 7 101]]}
        {:index 1, :type :invoke, :process 1, :time 0, :f :txn, :value [[:append 8 201]]}
        {:index 2, :type :ok, :process 0, :time 100000000, :f :txn, :value [[:append 7 101]]}
        {:index 3, :type :invoke, :process 0, :time 200000000, :f :txn, :value [[:append 7 102]]}
        {:index 4, :type :invoke, :process 2, :time 300000000, :f :txn, :value [[:r 7 nil] [:r 8 nil]]}
        {:index 5, :type :info, :process 1, :time 300000000, :f :txn, :value [[:append 8 201]]}
        {:index 6, :type :invoke, :process 3, :time 400000000, :f :txn, :value [[:append 8 202]]}
        {:index 7, :type :ok, :process 2, :time 400000000, :f :txn, :value [[:r 7 [101]] [:r 8 []]]}
        {:index 8, :type :ok, :process 0, :time 500000000, :f :txn, :value [[:append 7 102]]}
        {:index 9, :type :fail, :process 3, :time 600000000, :f :txn, :value [[:append 8 202]]}
        {:index 10, :type :invoke, :process 3, :time 700000000, :f :txn, :value [[:r 8 nil] [:r 7 nil]]}
        {:index 11, :type :ok, :process 3, :time 800000000, :f :txn, :value [[:r 8 [201]] [:r 7 [101 102]]]}

        """.ReplaceLineEndings("\n"));

    [Fact]
    public void What_a_format_cannot_hold_is_refused()
    {
        Should.Throw<NotSupportedException>(() => Plume("fork 1 2 10")).Message.ShouldContain("fork");
        Should.Throw<NotSupportedException>(() => Elle("fork 1 2 10")).Message.ShouldContain("fork");
        Should.Throw<NotSupportedException>(() => Plume("read 0 0 1 0 replica session - -1:0:0")).Message.ShouldContain("negative keys");
        Should.Throw<NotSupportedException>(() => Plume("write 0 0 1 1 1 0 acknowledged")).Message.ShouldContain("operation #0 writes 0");
    }

    private static string Plume(string records) => Export(HistoryExport.WritePlume, records);

    private static string Elle(string records) => Export(HistoryExport.WriteElle, records);

    private static string Export(Action<History, TextWriter> export, string records)
    {
        using var writer = new StringWriter();
        export(Histories.Of(records), writer);
        return writer.ToString();
    }
}
