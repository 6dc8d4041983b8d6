using Tidemark.Verification;
using static Tidemark.Histories;
using static Tidemark.Verification.ViolationKind;

namespace Tidemark;

/// <summary>For each rule of the checker, a history that violates it and a similar one that does not.</summary>
public sealed class HistoryCheckerTests
{
    // Key 1 was written at ranks 10 and 30, key 2 at 20, by alice, who received each result before the next write.
    private const string ThreeWrites = """
        write 0 0 5 1 1 101 acknowledged
        write 0 10 15 2 1 201 acknowledged
        write 0 20 25 1 2 102 acknowledged
        commit 1 1 101 1 10
        commit 2 1 201 1 20
        commit 1 2 102 1 30

        """;

    [Fact]
    public void A_read_that_shows_a_commit_but_misses_an_earlier_one_violates_prefix()
    {
        Only(Prefix, ThreeWrites + "read 1 30 40 0 replica nothing - 1:2:102 2:0:0");
        Clean(ThreeWrites + "read 1 30 40 0 replica nothing - 1:1:101 2:0:0");
        Clean(ThreeWrites + "read 1 30 40 0 replica nothing - 1:0:0 2:0:0");
    }

    [Fact]
    public void A_read_that_misses_an_earlier_write_of_its_session_is_a_violation()
    {
        Only(ReadYourWrites, ThreeWrites + "read 0 26 40 0 replica own-writes - 1:1:101");
        Only(ReadYourWrites, ThreeWrites + "read 0 26 40 0 replica own-writes - 2:0:0");
        Clean(ThreeWrites + "read 0 26 40 0 replica own-writes - 1:2:102");
        Clean(ThreeWrites + "read 0 26 40 0 replica monotonic - 1:1:101");
        Clean(ThreeWrites + "read 1 26 40 0 replica own-writes - 1:1:101");
    }

    [Fact]
    public void Concurrent_operations_do_not_bind_a_read()
    {
        Clean(ThreeWrites + "read 0 25 40 0 replica own-writes - 1:1:101");
        Only(MonotonicReads, ThreeWrites + "read 1 26 40 0 replica session - 1:2:102\nread 1 41 50 1 replica session - 1:1:101");
        Clean(ThreeWrites + "read 1 26 40 0 replica session - 1:2:102\nread 1 40 50 1 replica session - 1:1:101");
    }

    [Fact]
    public void A_read_that_misses_what_another_node_showed_its_session_is_a_violation()
    {
        Only(MonotonicReads, ThreeWrites + "read 1 26 40 0 replica session - 1:2:102\nread 1 50 60 1 replica session - 2:0:0");
        Clean(ThreeWrites + "read 1 26 40 0 replica session - 1:2:102\nread 1 50 60 1 replica session - 2:1:201");
        Clean(ThreeWrites + "read 1 26 40 0 replica session - 1:2:102\nread 1 50 60 1 replica own-writes - 2:0:0");
        Clean(ThreeWrites + "read 1 26 40 0 replica session - 1:2:102\nread 0 50 60 1 replica monotonic - 2:0:0");
    }

    [Theory]
    [InlineData("replica nothing")]
    [InlineData("primary nothing")]
    public void A_read_without_guarantees_binds_later_monotonic_reads(string how) =>
        Only(MonotonicReads, ThreeWrites + $"read 1 26 40 2 {how} - 1:2:102\nread 1 50 60 1 replica session - 2:0:0");

    [Fact]
    public void A_monotonic_read_must_contain_the_write_an_earlier_read_required()
    {
        // The first read shows nothing of rank 30 although it had to contain it.
        const string Mixed = ThreeWrites + "read 0 26 40 0 replica own-writes - 2:1:201\n";
        Only(MonotonicReads, Mixed + "read 0 50 60 1 replica monotonic - 1:1:101");
        Clean(Mixed + "read 0 50 60 1 replica monotonic - 1:2:102");
    }

    [Fact]
    public void A_monotonic_read_must_contain_what_an_earlier_staleness_bound_required()
    {
        const string Bounded = ThreeWrites + "read 1 40 45 0 replica nothing 10 2:1:201\n";
        Only(MonotonicReads, Bounded + "read 1 50 60 1 replica session - 1:1:101");
        Clean(Bounded + "read 1 50 60 1 replica session - 1:2:102");
        Clean(Bounded + "read 0 50 60 1 replica monotonic - 1:1:101");
    }

    [Fact]
    public void A_hand_over_binds_to_what_the_giving_client_had_received()
    {
        const string Reads = ThreeWrites + "read 1 60 70 0 replica session - 1:1:101\n";
        Only(ReadYourWrites, Reads + "hand-over 0 1 26 50");
        Clean(Reads + "hand-over 0 1 25 50");
        Clean(Reads + "hand-over 0 1 26 60");
        Clean(Reads + "hand-over 1 0 26 50");
    }

    [Fact]
    public void A_write_that_precedes_an_earlier_write_of_its_session_is_a_violation()
    {
        const string Swapped = "commit 1 1 101 1 20\ncommit 2 1 201 1 10\n";
        Only(MonotonicWrites, Swapped + "write 0 0 5 1 1 101 acknowledged\nwrite 0 10 15 2 1 201 acknowledged");
        Clean(Swapped + "write 0 0 5 1 1 101 acknowledged\nwrite 0 5 15 2 1 201 acknowledged");
        Clean(Swapped + "write 0 0 5 1 1 101 acknowledged\nwrite 1 10 15 2 1 201 acknowledged");
    }

    [Fact]
    public void A_write_that_precedes_what_its_session_had_read_is_a_violation()
    {
        const string Swapped = "commit 1 1 101 1 20\ncommit 2 1 201 1 10\nwrite 0 0 5 1 1 101 acknowledged\n";
        Only(WritesFollowReads, Swapped + "read 1 6 9 0 replica nothing - 1:1:101\nwrite 1 10 15 2 1 201 acknowledged");
        Clean(Swapped + "read 1 6 9 0 replica nothing - 1:0:0\nwrite 1 10 15 2 1 201 acknowledged");
    }

    [Fact]
    public void A_read_that_is_staler_than_its_bound_is_a_violation()
    {
        // Rank 30 was acknowledged at 25.
        Only(Staleness, ThreeWrites + "read 1 36 40 0 replica nothing 10 1:1:101");
        Clean(ThreeWrites + "read 1 35 40 0 replica nothing 10 1:1:101");
        Clean(ThreeWrites + "read 1 36 40 0 replica nothing - 1:1:101");
        Clean(ThreeWrites + "read 1 36 40 0 replica nothing 10 1:2:102");
        Only(Staleness, ThreeWrites + "read 1 36 40 2 primary nothing 10 1:1:101");
    }

    [Fact]
    public void A_primary_that_misses_an_unacknowledged_commit_is_counted_separately()
    {
        const string Observed = """
            write 0 0 50 1 1 101 acknowledged
            commit 1 1 101 1 10
            read 1 10 20 0 replica session - 1:1:101

            """;
        var verdict = Check(Observed + "read 1 30 40 2 primary session - 1:0:0");
        verdict.IsClean.ShouldBeTrue();
        verdict.VisibilityOrder.ShouldBe(1);
        Only(MonotonicReads, Observed + "read 1 51 60 2 primary session - 1:0:0");
        Only(MonotonicReads, Observed + "read 1 30 40 0 replica session - 1:0:0");
        Check(Observed + "read 1 30 40 2 primary session - 1:1:101").VisibilityOrder.ShouldBe(0);
    }

    [Fact]
    public void A_primary_may_miss_an_earlier_commit_only_until_it_is_acknowledged()
    {
        Only(Prefix, ThreeWrites + "read 1 16 40 2 primary nothing - 1:2:102 2:0:0");
        var verdict = Check(ThreeWrites + "read 1 15 40 2 primary nothing - 1:2:102 2:0:0");
        verdict.IsClean.ShouldBeTrue();
        verdict.VisibilityOrder.ShouldBe(1);
    }

    [Fact]
    public void A_later_acknowledged_version_proves_earlier_versions_visible()
    {
        // Bob's version 1 of key 1 is not acknowledged, or late. Alice's version 2 needed the row lock of bob's transaction.
        foreach (var first in (string[])["write 1 0 5 1 0 101 unknown", "write 1 0 90 1 1 101 acknowledged"])
        {
            var proven = first + "\nwrite 0 10 15 1 2 102 acknowledged\ncommit 1 1 101 1 10\ncommit 1 2 102 1 20\n";
            Only(ReadYourWrites, proven + "read 0 16 40 2 primary own-writes - 1:0:0");
            Only(ReadYourWrites, proven + "read 0 16 40 2 primary own-writes - 1:1:101");
            Clean(proven + "read 0 16 40 2 primary own-writes - 1:2:102");

            // It also proves the version visible to a session that observed only the first version, on a replica.
            Only(MonotonicReads, proven + "read 1 7 9 0 replica nothing - 1:1:101\nread 1 16 40 2 primary monotonic - 1:0:0");
            var early = Check(proven + "read 1 7 9 0 replica nothing - 1:1:101\nread 1 15 40 2 primary monotonic - 1:0:0");
            (early.IsClean, early.VisibilityOrder).ShouldBe((true, 1));
        }
    }

    [Fact]
    public void A_later_version_on_another_timeline_does_not_prove_visibility()
    {
        // Version 1 was in doubt when timeline 2 began with it; version 2 was written there.
        const string Left = """
            fork 1 2 10
            write 1 0 5 1 0 101 unknown
            write 1 10 15 1 2 102 acknowledged
            commit 1 1 101 1 10
            commit 1 2 102 2 20
            read 0 7 9 0 replica nothing - 1:1:101

            """;
        var verdict = Check(Left + "read 0 16 40 2 primary monotonic - 1:0:0");
        (verdict.IsClean, verdict.VisibilityOrder).ShouldBe((true, 1));
    }

    [Fact]
    public void A_primary_must_show_all_that_its_timeline_began_with()
    {
        const string Kept = "fork 1 2 10\nwrite 1 0 5 1 0 101 unknown\nwrite 1 10 15 2 1 201 acknowledged\ncommit 1 1 101 1 10\ncommit "
            + "2 1 201 2 20\n";
        Only(Prefix, Kept + "read 0 16 40 2 primary nothing - 1:0:0 2:1:201");
        Clean(Kept + "read 0 16 40 2 primary nothing - 1:1:101 2:1:201");
    }

    [Fact]
    public void A_write_of_unknown_outcome_binds_its_session_once_observed()
    {
        const string Unknown = "write 0 0 5 1 0 101 unknown\ncommit 1 1 101 1 10\n";
        Clean(Unknown + "read 0 6 9 0 replica session - 1:0:0");
        Only(MonotonicReads, Unknown + "read 0 6 9 0 replica session - 1:1:101\nread 0 10 12 1 replica session - 1:0:0");
        Clean("write 0 0 5 1 0 101 unknown\nread 0 6 9 0 replica session - 1:0:0");
    }

    [Fact]
    public void A_settled_committed_write_of_unknown_outcome_binds_its_session()
    {
        const string Settled = "write 0 0 5 1 0 101 unknown\ncommit 1 1 101 1 10\nsettled 101 10\n";
        Only(ReadYourWrites, Settled + "read 0 11 20 0 replica own-writes - 1:0:0");
        Only(ReadYourWrites, Settled + "read 0 11 20 2 primary own-writes - 1:0:0");
        Clean(Settled + "read 0 11 20 0 replica own-writes - 1:1:101");
        Clean(Settled + "read 0 10 20 0 replica own-writes - 1:0:0");
        Clean(Settled + "read 0 11 20 0 replica monotonic - 1:0:0");
        Clean(Settled + "read 1 11 20 0 replica session - 1:0:0");
        Only(ReadYourWrites, Settled + "settled 101 30\nread 0 11 20 0 replica own-writes - 1:0:0");

        // The process ended before its client detected it: operations that start while the write is in progress are not bound.
        const string Early = "write 0 0 15 1 0 101 unknown\ncommit 1 1 101 1 10\nsettled 101 10\n";
        Clean(Early + "read 0 15 20 0 replica own-writes - 1:0:0");
        Only(ReadYourWrites, Early + "read 0 16 20 0 replica own-writes - 1:0:0");

        // A write that was not committed, or that a failover lost, binds no read.
        Clean("write 0 0 5 1 0 101 unknown\nsettled 101 10\nread 0 11 20 0 replica session - 1:0:0");
        Clean("fork 1 2 5\n" + Settled + "read 0 11 20 0 replica session - 1:0:0");
    }

    [Fact]
    public void A_settled_write_binds_later_writes_and_hand_overs_of_its_session()
    {
        const string Settled = "write 0 0 5 1 0 101 unknown\ncommit 1 1 101 1 20\nsettled 101 10\ncommit 2 1 201 1 10\n";
        Only(MonotonicWrites, Settled + "write 0 11 15 2 1 201 acknowledged");
        Clean(Settled + "write 0 10 15 2 1 201 acknowledged");
        const string Read = "write 1 0 5 2 1 201 acknowledged\nread 1 30 40 0 replica own-writes - 1:0:0 2:1:201\n";
        Only(ReadYourWrites, Settled + Read + "hand-over 0 1 11 20");
        Clean(Settled + Read + "hand-over 0 1 9 20");
    }

    [Fact]
    public void The_end_of_a_server_process_proves_its_commit_visible()
    {
        const string Observed = "write 0 0 5 1 0 101 unknown\ncommit 1 1 101 1 10\nread 1 6 9 0 replica nothing - 1:1:101\n";
        Only(MonotonicReads, Observed + "settled 101 10\nread 1 11 20 2 primary monotonic - 1:0:0");
        Check(Observed + "settled 101 10\nread 1 10 20 2 primary monotonic - 1:0:0").VisibilityOrder.ShouldBe(1);
    }

    [Fact]
    public void A_failed_write_that_is_committed_or_shown_is_a_violation()
    {
        Only(FailedWriteVisible, "write 0 0 5 1 0 101 failed\ncommit 1 1 101 1 10");
        Only(FailedWriteVisible, "write 0 0 5 1 0 101 failed\nread 1 6 9 0 replica session - 1:1:101");
        Clean("write 0 0 5 1 0 101 failed\nread 1 6 9 0 replica session - 1:0:0");
    }

    [Fact]
    public void All_violations_are_counted_and_the_first_hundred_are_listed()
    {
        var verdict = Check(ThreeWrites + string.Join('\n', Enumerable.Range(0, 150).Select(i => $"read 0 {30 + i} {30 + i} 0 replica "
            + "own-writes - 1:0:0")));
        verdict.ReadYourWrites.ShouldBe(150);
        verdict.Violations.Length.ShouldBe(HistoryVerdict.MaxViolationsListed);
    }

    [Fact]
    public void A_violation_text_states_what_was_required_and_what_was_shown() =>
        Check(ThreeWrites + "read 0 26 40 0 replica own-writes - 1:1:101").Violations.ShouldHaveSingleItem().Text.ShouldBe(
            "Operation #3 (read on replica-1, alice, 26 to 40) shows version 1 of key 1 but not the next version, from rank 30; "
                + "its session had written rank 30, by operation #2.");

    private static void Only(ViolationKind kind, string records)
    {
        var verdict = Check(records);
        verdict.Violations.Select(violation => violation.Kind).ShouldBe([kind], string.Join('\n', verdict.Violations));
        verdict.Count(kind).ShouldBe(1);
        verdict.IsClean.ShouldBeFalse();
    }

    private static void Clean(string records)
    {
        var verdict = Check(records);
        verdict.Violations.ShouldBeEmpty();
        verdict.IsClean.ShouldBeTrue();
        verdict.VisibilityOrder.ShouldBe(0);
    }
}
