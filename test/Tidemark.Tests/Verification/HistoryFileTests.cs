using Tidemark.Verification;

namespace Tidemark;

public sealed class HistoryFileTests
{
    private const string EveryRecord = """
        tidemark-history 1 1000
        node replica-1
        node the primary
        client alice
        client
        fork 1 2 20
        fork 2 3 30 -5
        write 0 0 5 7 1 101 acknowledged
        write 1 6 9 7 0 102 unknown
        write 1 10 11 -8 0 103 failed
        read 0 12 20 0 replica session 500 7:1:101 -8:0:0
        read 1 12 20 1 primary nothing - 7:1:101
        read 1 21 22 0 replica own-writes - 7:1:101
        read 1 23 24 0 replica monotonic 0 7:1:101
        hand-over 0 1 25 26
        loss 1 27
        settled 102 12
        commit 7 1 101 1 10
        end 17

        """;

    [Fact]
    public void A_history_is_written_as_it_was_read() =>
        Text(HistoryFile.Read(new StringReader(EveryRecord))).ShouldBe(EveryRecord.ReplaceLineEndings("\n"));

    [Fact]
    public void A_history_in_a_file_gets_the_verdict_it_had_in_memory()
    {
        var path = Path.GetTempFileName();
        try
        {
            for (var seed = 0; seed < 200; seed++)
            {
                var history = new SmallHistory(seed).Build();
                HistoryFile.Write(history, path);
                HistoryChecker.Check(HistoryFile.Read(path)).Violations.ShouldBe(HistoryChecker.Check(history).Violations);
            }
        }
        finally
        {
            File.Delete(path);
        }
    }

    // The first record is on line 7, after the head, three nodes and two clients.
    [Theory]
    [InlineData(7, "it ends at 4, before it starts at 5", "write 0 5 4 1 1 101 acknowledged")]
    [InlineData(7, "client 2 does not exist", "write 2 0 5 1 1 101 acknowledged")]
    [InlineData(7, "client -1 does not exist", "read -1 0 5 0 replica session - 1:0:0")]
    [InlineData(7, "node 3 does not exist", "read 0 0 5 3 replica session - 1:0:0")]
    [InlineData(7, "1 to 16 rows, not 0", "read 0 0 5 0 replica session -")]
    [InlineData(7, "1 to 16 rows, not 17", "read 0 0 5 0 replica session - 1:0:0 2:0:0 3:0:0 4:0:0 5:0:0 6:0:0 7:0:0 8:0:0 9:0:0 10:0:0 "
        + "11:0:0 12:0:0 13:0:0 14:0:0 15:0:0 16:0:0 17:0:0")]
    [InlineData(7, "it shows key 1 twice", "read 0 0 5 0 replica session - 1:0:0 1:0:0")]
    [InlineData(7, "cannot be negative", "read 0 0 5 0 replica session -2 1:0:0")]
    [InlineData(7, "not one of replica, primary", "read 0 0 5 0 standby session - 1:0:0")]
    [InlineData(7, "KEY:VERSION:VALUE", "read 0 0 5 0 replica session - 1:0")]
    [InlineData(7, "versions are counted from 0", "read 0 0 5 0 replica session - 1:-1:0")]
    [InlineData(7, "versions are counted from 1", "commit 1 0 101 1 10")]
    [InlineData(7, "ranks are counted from 1", "commit 1 1 101 1 0")]
    [InlineData(7, "timelines are counted from 1", "commit 1 1 101 0 10")]
    [InlineData(7, "no operation wrote value 101", "commit 1 1 101 1 10")]
    [InlineData(7, "before it is exported", "hand-over 0 1 10 9")]
    [InlineData(7, "client 5 does not exist", "loss 5 1")]
    [InlineData(7, "no operation wrote value 101", "settled 101 1")]
    [InlineData(8, "operation #0, which wrote value 101, had not started at 4", "write 0 5 9 1 0 101 unknown", "settled 101 4")]
    [InlineData(7, "the number of a child must be larger", "fork 2 1 10")]
    [InlineData(7, "is not a record type of a history", "wrote 0 0 5")]
    [InlineData(7, "\"x\" is not a number", "loss 0 x")]
    [InlineData(7, "unexpected text at the end of the line", "loss 0 1 2")]
    [InlineData(7, "a number is missing", "write 0 0 5 1 1")]
    [InlineData(7, "the node name is missing", "node")]
    [InlineData(8, "it writes value 101, which operation #0 also writes",
        "write 0 0 5 1 1 101 acknowledged", "write 0 6 9 2 1 101 acknowledged")]
    [InlineData(8, "operation #0 wrote value 101 to key 1, not to key 2", "write 0 0 5 1 1 101 acknowledged", "commit 2 1 101 1 10")]
    [InlineData(8, "returned version 1 of key 1, not 2", "write 0 0 5 1 1 101 acknowledged", "commit 1 2 101 1 10")]
    [InlineData(10, "version 1 of key 1 is committed twice", "write 0 0 5 1 1 101 acknowledged", "write 0 6 9 1 1 102 acknowledged",
        "commit 1 1 101 1 10", "commit 1 1 102 1 20")]
    [InlineData(9, "version 1 of key 1 is committed twice", "write 0 0 5 1 1 101 acknowledged", "commit 1 1 101 1 10",
        "commit 1 1 101 1 20")]
    [InlineData(10, "version 1 of key 1 is committed twice", "fork 1 2 10", "write 0 0 5 1 1 101 acknowledged", "commit 1 1 101 1 20",
        "commit 1 1 101 2 20")]
    [InlineData(8, "but version 1 is not committed before it", "write 0 0 5 1 2 101 acknowledged", "commit 1 2 101 1 10")]
    [InlineData(10, "but version 1 is not committed before it", "write 0 0 5 1 1 101 acknowledged", "write 0 6 9 1 2 102 acknowledged",
        "commit 1 1 101 1 20", "commit 1 2 102 1 10")]
    [InlineData(8, "shows value 102 as version 1 of key 1, which no operation wrote", "write 0 0 5 1 1 101 acknowledged",
        "read 0 6 9 0 replica session - 1:1:102", "commit 1 1 101 1 10")]
    [InlineData(8, "which operation #0 wrote to key 2", "write 0 0 5 2 1 101 acknowledged", "read 0 6 9 0 replica session - 1:1:101",
        "commit 2 1 101 1 10")]
    [InlineData(8, "wrote without a commit record",
        "write 0 0 5 1 1 101 acknowledged", "read 0 6 9 0 replica session - 1:1:101")]
    [InlineData(8, "wrote without a commit record",
        "write 0 0 5 1 1 101 acknowledged", "read 0 6 9 0 replica session - 1:2:101",
        "commit 1 1 101 1 10")]
    [InlineData(8, "timeline 3 already branches off timeline 1", "fork 1 3 10", "fork 2 3 20")]
    [InlineData(8, "no fork leads to timeline 3", "fork 1 2 10", "fork 3 4 10")]
    [InlineData(9, "no fork leads to timeline 3", "fork 1 2 10", "write 0 0 5 1 1 101 acknowledged", "commit 1 1 101 3 20")]
    [InlineData(8, "begins at rank 20 and cannot be left at rank 10", "fork 1 2 20", "fork 2 3 10")]
    [InlineData(9, "rank 20 is not after rank 20, at which timeline 2 began", "fork 1 2 20", "write 0 0 5 1 1 101 acknowledged",
        "commit 1 1 101 2 20")]
    public void A_contradiction_is_rejected_with_its_line_and_the_reason(int line, string reason, params string[] records)
    {
        var refusal = Should.Throw<HistoryException>(() => Histories.Of(string.Join('\n', records)));
        refusal.Message.ShouldContain(reason);
        refusal.Line.ShouldBe(line);
        refusal.Message.ShouldStartWith($"Line {line}: ");
    }

    [Fact]
    public void A_file_that_is_truncated_anywhere_is_rejected()
    {
        var text = EveryRecord.ReplaceLineEndings("\n");
        var whole = text.TrimEnd().Length;
        for (var length = 0; length < whole; length++)
        {
            // "end 1" of "end 17" is a complete line, but not the complete history.
            var refusal =
                Should.Throw<HistoryException>(() => HistoryFile.Read(new StringReader(text[..length])), $"after {length} characters");
            refusal.Line.ShouldBeInRange(0, 19);
        }
    }

    [Theory]
    [InlineData(1, "must begin with", "something else")]
    [InlineData(1, "must begin with", "tidemark-history 2 10")]
    [InlineData(1, "non-zero", "tidemark-history 1 0")]
    [InlineData(2, "should have 7 records, but has 0", "tidemark-history 1 10\nend 7")]
    [InlineData(3, "no line may follow \"end\"", "tidemark-history 1 10\nend 0\nnode a")]
    [InlineData(0, "truncated", "")]
    public void A_text_that_is_not_a_history_is_rejected(int line, string reason, string text)
    {
        var refusal = Should.Throw<HistoryException>(() => HistoryFile.Read(new StringReader(text)));
        refusal.Message.ShouldContain(reason);
        refusal.Line.ShouldBe(line);
    }

    [Fact]
    public void Blank_lines_and_comments_are_ignored() =>
        HistoryFile.Read(new StringReader("tidemark-history 1 10\n\n# nothing here\nend 0\n\n")).OperationCount.ShouldBe(0);

    [Fact]
    public void A_contradiction_in_memory_names_the_operation()
    {
        var builder = new HistoryBuilder();
        var client = builder.AddClient();
        builder.Write(client, 0, 5, 1, 1, 101, HistoryOutcome.Acknowledged);
        builder.Write(client, 6, 9, 1, 2, 101, HistoryOutcome.Acknowledged);
        var refusal = Should.Throw<HistoryException>(() => builder.Build());
        refusal.Message.ShouldBe("Operation #1: it writes value 101, which operation #0 also writes.");
        refusal.Line.ShouldBe(0);
    }

    private static string Text(History history)
    {
        using var writer = new StringWriter();
        HistoryFile.Write(history, writer);
        return writer.ToString();
    }
}
