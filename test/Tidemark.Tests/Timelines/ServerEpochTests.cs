using System.Data;
using static Tidemark.Snapshots;

namespace Tidemark;

public sealed class ServerEpochTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    [Fact]
    public void An_epoch_consists_of_server_start_and_statistics_reset() =>
        Read(Start.AddHours(1)).ShouldBe(new ServerEpoch(Start, Start.AddHours(1)));

    [Fact]
    public void A_server_whose_statistics_were_never_reset_has_an_epoch()
    {
        Read(DBNull.Value).ShouldBe(new ServerEpoch(Start, default));
        Read(DBNull.Value).IsUnknown.ShouldBeFalse();
    }

    [Fact]
    public void A_crash_ends_the_epoch_but_a_clean_restart_keeps_positions()
    {
        Run(1).IsSameButForCleanRestarts(Run(1).Restarted()).ShouldBeTrue();
        Run(1).IsSameButForCleanRestarts(Run(1).Reset()).ShouldBeFalse();
        default(ServerEpoch).IsUnknown.ShouldBeTrue();
    }

    private static ServerEpoch Read(object reset)
    {
        using var table = new DataTable();
        table.Columns.Add("other", typeof(int));
        table.Columns.Add("started", typeof(DateTimeOffset));
        table.Columns.Add("reset", typeof(DateTimeOffset));
        table.Rows.Add(1, Start, reset);
        using var reader = table.CreateDataReader();
        reader.Read();
        return ServerEpoch.Read(reader, 1);
    }
}
