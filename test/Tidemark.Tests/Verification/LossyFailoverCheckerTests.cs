using Tidemark.Verification;
using static Tidemark.Histories;
using static Tidemark.Verification.ViolationKind;

namespace Tidemark;

/// <summary>
/// The verdict of the checker on a failover that lost acknowledged commits: history left timeline 1 at rank 100 and continued on timeline
/// 2.
/// </summary>
public sealed class LossyFailoverCheckerTests
{
    // Alice wrote version 1 of key 1 (kept) and version 2 (lost). Then bob wrote another version 2 on timeline 2.
    private const string Failover = """
        fork 1 2 100
        write 0 0 5 1 1 101 acknowledged
        write 0 10 15 1 2 102 acknowledged
        write 1 40 45 1 2 103 acknowledged
        commit 1 1 101 1 90
        commit 1 2 102 1 110
        commit 1 2 103 2 105

        """;

    [Fact]
    public void A_lost_write_must_be_reported_no_later_than_the_next_answer()
    {
        Only(SilentLoss, Failover + "read 0 50 60 0 replica session - 1:2:103");
        Clean(Failover + "read 0 50 60 0 replica session - 1:2:103\nloss 0 55");
        Clean(Failover + "read 0 50 60 0 replica session - 1:2:103\nloss 0 60");
        Clean(Failover + "read 0 50 60 0 replica session - 1:2:103\nloss 0 30");
        Only(SilentLoss, Failover + "read 0 50 60 0 replica session - 1:2:103\nloss 0 61");
        Only(SilentLoss, Failover + "read 0 50 60 0 replica session - 1:2:103\nloss 1 55");
        Only(SilentLoss, Failover + "read 0 50 60 0 replica session - 1:2:103\nloss 0 9");
        Clean(Failover + "read 0 50 60 0 replica monotonic - 1:2:103");
    }

    [Fact]
    public void A_lost_observation_must_be_reported_like_a_lost_write()
    {
        const string Observed = Failover + "read 1 20 25 0 replica nothing - 1:2:102\nread 1 50 60 0 replica session - 1:2:103";
        Only(SilentLoss, Observed);
        Clean(Observed + "\nloss 1 58");
    }

    [Fact]
    public void A_loss_is_counted_once_and_the_session_continues_from_the_fork()
    {
        const string Reported = Failover + "read 0 50 60 0 replica session - 1:2:103\n";
        Only(SilentLoss, Reported + "read 0 70 80 0 replica session - 1:2:103");
        Only(ReadYourWrites, Failover + "loss 0 30\nread 0 50 60 0 replica own-writes - 1:0:0");
        Only(MonotonicReads, Reported + "loss 0 55\nread 0 70 80 0 replica monotonic - 1:1:101");
        Clean(Reported + "loss 0 55\nread 0 70 80 0 replica own-writes - 1:1:101");
    }

    [Fact]
    public void A_read_of_own_writes_only_does_not_settle_lost_observations()
    {
        const string Both = Failover + "read 0 20 25 0 replica nothing - 1:2:102\nread 0 50 60 0 replica own-writes - 1:2:103\nread 0 "
            + "70 80 0 replica monotonic - 1:2:103";
        Only(SilentLoss, Both, SilentLoss);
        Only(SilentLoss, Both + "\nloss 0 75");
        Clean(Both + "\nloss 0 55");
    }

    [Fact]
    public void A_report_from_before_the_fork_does_not_count_for_it()
    {
        const string Dated = """
            fork 1 2 100 20
            write 0 10 15 1 1 101 acknowledged
            commit 1 1 101 1 110
            write 1 40 45 2 1 201 acknowledged
            commit 2 1 201 2 105
            read 0 50 60 0 replica session - 1:0:0 2:1:201

            """;
        Only(SilentLoss, Dated + "loss 0 19");
        Clean(Dated + "loss 0 20");
    }

    [Fact]
    public void A_report_covers_only_losses_of_the_history_at_its_time()
    {
        // Timeline 2 loses the write, the loss is reported to its session, and timeline 3 branches off timeline 1 again.
        const string Twice = """
            fork 1 2 100 20
            fork 1 3 95 40
            write 0 1 5 1 1 101 acknowledged
            commit 1 1 101 1 90
            write 0 6 9 1 2 102 acknowledged
            commit 1 2 102 1 97
            write 0 10 15 1 3 103 acknowledged
            commit 1 3 103 1 110

            """;
        Only(SilentLoss, Twice + "read 0 25 30 0 replica session - 1:2:102\nread 0 50 60 0 replica session - 1:1:101\nloss 0 55");
        Clean(Twice + "loss 0 22\nread 0 25 30 0 replica session - 1:2:102\nread 0 50 60 0 replica session - 1:1:101\nloss 0 55");
        Only(SilentLoss, Twice + "loss 0 22\nread 0 25 30 0 replica session - 1:2:102\nread 0 50 60 0 replica session - 1:1:101");
    }

    [Fact]
    public void A_report_does_not_excuse_missing_what_history_kept()
    {
        Only(ReadYourWrites, Failover + "loss 0 50\nloss 1 50\nread 1 51 60 0 replica own-writes - 1:1:101");
        Clean(Failover + "loss 0 50\nloss 1 50\nread 1 51 60 0 replica own-writes - 1:2:103");
    }

    [Fact]
    public void A_read_on_a_standby_left_behind_by_the_fork_is_a_violation()
    {
        Only(MonotonicReads, Failover + "read 1 50 60 0 replica nothing - 1:2:103\nread 1 70 80 0 replica monotonic - 1:2:102");
        Clean(Failover + "read 1 20 30 0 replica nothing - 1:2:102\nread 1 70 80 0 replica monotonic - 1:2:102");
        Only(Staleness, Failover + "read 1 70 80 0 replica nothing 10 1:2:102");
        Clean(Failover + "read 1 54 80 0 replica nothing 10 1:2:102");
    }

    [Fact]
    public void A_read_that_shows_rows_of_two_histories_violates_prefix()
    {
        const string TwoKeys = Failover + "write 0 16 19 2 1 201 acknowledged\ncommit 2 1 201 1 120\n";
        Only(Prefix, TwoKeys + "read 1 50 60 0 replica nothing - 1:2:103 2:1:201");
        Only(Prefix, TwoKeys + "read 1 50 60 2 primary nothing - 1:2:103 2:1:201");
        Clean(TwoKeys + "read 1 50 60 0 replica nothing - 1:2:103 2:0:0");
        Clean(TwoKeys + "read 1 50 60 0 replica nothing - 1:2:102 2:1:201");
    }

    [Fact]
    public void Lost_acknowledged_writes_are_listed_without_being_a_violation()
    {
        var verdict = Check(Failover);
        verdict.IsClean.ShouldBeTrue();
        verdict.LostWrites.ShouldBe([1]);
        Check("write 0 0 5 1 1 101 unknown\nfork 1 2 100\ncommit 1 1 101 1 110").LostWrites.ShouldBeEmpty();
    }

    [Fact]
    public void An_acknowledged_write_that_is_not_in_any_WAL_is_lost()
    {
        const string Gone = "write 0 0 5 1 1 101 acknowledged\nread 0 10 20 0 replica session - 1:0:0";
        var verdict = Only(SilentLoss, Gone);
        verdict.LostWrites.ShouldBe([0]);
        Clean(Gone + "\nloss 0 15");
    }

    [Fact]
    public void Two_failovers_in_a_row_lose_only_what_each_fork_dropped()
    {
        // Timeline 1 was left at 100 for 2, and timeline 2 at 200 for 3.
        const string Two = """
            fork 1 2 100
            fork 2 3 200
            write 0 0 5 1 1 101 acknowledged
            write 1 0 5 2 1 201 acknowledged
            commit 1 1 101 1 110
            commit 2 1 201 2 150

            """;
        Only(SilentLoss, Two + "read 0 50 60 0 replica session - 1:0:0");
        Clean(Two + "read 0 50 60 0 replica own-writes - 2:1:201\nloss 0 60");
        Clean(Two + "read 1 50 60 0 replica session - 2:1:201");
        Only(ReadYourWrites, Two + "read 1 50 60 0 replica session - 2:0:0");
        Check(Two).LostWrites.ShouldBe([0]);
    }

    [Fact]
    public void A_write_on_the_old_timeline_after_observing_the_new_one_is_out_of_order()
    {
        Only(WritesFollowReads, Failover + "read 1 50 60 0 replica nothing - 1:2:103\nwrite 1 70 80 2 1 201 acknowledged\ncommit 2 1 "
            + "201 1 130", MonotonicWrites);
        Clean(Failover + "read 1 50 60 0 replica nothing - 1:2:103\nwrite 1 70 80 2 1 201 acknowledged\ncommit 2 1 201 2 130");
    }

    private static HistoryVerdict Only(ViolationKind kind, string records, params ViolationKind[] others)
    {
        var verdict = Check(records);
        verdict.Violations.Select(violation => violation.Kind).ShouldBe([.. others, kind], string.Join('\n', verdict.Violations));
        return verdict;
    }

    private static void Clean(string records) => Check(records).Violations.ShouldBeEmpty();
}
