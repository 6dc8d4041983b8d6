using System.Data;
using NpgsqlTypes;
using static Tidemark.Snapshots;

namespace Tidemark;

public sealed class CheckAnswerTests
{
    [Fact]
    public void Positions_are_not_queried_if_the_role_may_not_read_them()
    {
        CheckAnswer.Sql(hidesPositions: false).ShouldContain("pg_last_wal_replay_lsn()");
        CheckAnswer.Sql(hidesPositions: true).ShouldNotContain("pg_last_wal_replay_lsn()");
    }

    [Fact]
    public void An_answer_is_read_column_by_column() =>
        Read(true, At(100), 3, 2).ShouldBe(new CheckAnswer(IsInRecovery: true, At(100), Timeline: 3, LeastTimeline: 2, Ours, Run(1)));

    [Fact]
    public void What_a_server_does_not_show_is_unknown() =>
        Read(false, DBNull.Value, DBNull.Value, DBNull.Value)
            .ShouldBe(new CheckAnswer(IsInRecovery: false, Replayed: null, 0, 0, Ours, Run(1)));

    private static CheckAnswer Read(bool isInRecovery, object replayed, object timeline, object leastTimeline)
    {
        using var table = new DataTable();
        foreach (var type in (Type[])[typeof(bool), typeof(NpgsqlLogSequenceNumber), typeof(int), typeof(int), typeof(long)])
            table.Columns.Add(null, type);
        table.Columns.Add("started", typeof(DateTimeOffset));
        table.Columns.Add("reset", typeof(DateTimeOffset));
        table.Rows.Add(isInRecovery, replayed, timeline, leastTimeline, (long)Ours, Run(1).StartedAt, Run(1).StatisticsResetAt);
        using var reader = table.CreateDataReader();
        reader.Read();
        return CheckAnswer.Read(reader);
    }
}
