using Tidemark.Verification;

namespace Tidemark;

/// <summary>The lines are output of <c>pg_waldump</c> of PostgreSQL 15.</summary>
public sealed class WalDumpTextTests
{
    private const string Note = "rmgr: LogicalMessage len (rec/tot):     59/    59, tx:        {0}, lsn: 0/00627CD8, prev 0/00627C88, "
        + "desc: MESSAGE {1}, prefix \"{2}\"; payload (5 bytes): {3}";
    private const string Commit = "rmgr: Transaction len (rec/tot):     50/    50, tx:        {0}, lsn: 0/{1}, prev 0/00627D60, desc: {2}";

    [Fact]
    public void A_write_is_ranked_where_the_commit_record_of_its_transaction_begins()
    {
        var text = Of(
            Format(Note, 726, "transactional", "reg", "31 20 32 20 37"),
            Format(Note, 727, "transactional", "reg", "33 20 31 20 38"),
            Format(Commit, 727, "00627D60", "COMMIT 2026-11-20 14:49:43.657802 UTC"),
            Format(Commit, 726, "00627DA0", "COMMIT 2026-11-20 14:49:43.657802 UTC"));

        text.Commits.ShouldBe([new(new NotedWrite(3, 1, 8), 4, 0x627D60), new(new NotedWrite(1, 2, 7), 4, 0x627DA0)]);
        text.HasEnd.ShouldBeFalse();
    }

    [Fact]
    public void A_write_of_a_subtransaction_is_committed_with_the_transaction_that_names_it()
    {
        var text = Of(
            Format(Note, 727, "transactional", "reg", "31 20 31 20 37"),
            Format(Note, 728, "transactional", "reg", "32 20 31 20 38"),
            Format(Note, 729, "transactional", "reg", "33 20 31 20 39"),
            Format(Commit, 726, "00627DA0", "COMMIT 2026-11-20 14:49:43.653718 UTC; subxacts: 727 728; inval msgs: catcache 7"));

        text.Commits.Select(c => c.Write.Key).ShouldBe([1, 2]);
    }

    [Fact]
    public void A_prepared_transaction_is_committed_under_the_number_it_had()
    {
        var text = Of(
            Format(Note, 726, "transactional", "reg", "31 20 31 20 37"),
            Format(Commit, 0, "00627DA0", "COMMIT_PREPARED 726: 2026-11-20 14:49:43.653718 UTC"));

        text.Commits.ShouldHaveSingleItem().Position.ShouldBe(0x627DA0UL);
    }

    [Theory]
    [InlineData("transactional", "reg_2", "COMMIT 2026-11-20")]
    [InlineData("non-transactional", "reg", "COMMIT 2026-11-20")]
    [InlineData("transactional", "reg", "ABORT 2026-11-20")]
    public void Foreign_messages_and_rolled_back_writes_do_not_count(string kind, string prefix, string end) =>
        Of(Format(Note, 726, kind, prefix, "31 20 31 20 37"), Format(Commit, 726, "00627DA0", end)).Commits.ShouldBeEmpty();

    [Fact]
    public void The_end_counts_once_it_is_committed()
    {
        var note = Format(Note, 726, "transactional", "reg", "65 6E 64");

        Of(note).HasEnd.ShouldBeFalse();
        var text = Of(note, Format(Commit, 726, "00627DA0", "COMMIT 2026-11-20 14:49:43.653718 UTC"));
        text.HasEnd.ShouldBeTrue();
        text.Commits.ShouldBeEmpty();
    }

    private static WalDumpText Of(params string[] lines)
    {
        var text = new WalDumpText("reg", timeline: 4);
        foreach (var line in lines) text.Add(line);
        return text;
    }

    private static string Format(string line, params object[] parts) =>
        string.Format(System.Globalization.CultureInfo.InvariantCulture, line, parts);
}
