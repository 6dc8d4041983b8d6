using System.Diagnostics.CodeAnalysis;
using Npgsql;

namespace Tidemark.Verification;

/// <summary>
/// The order of commits from a table that each write adds a row to. The number in it comes from one row that all writes update last, so
/// that the next can take its number only once the one before has committed: the order of numbers is that of commits in the WAL.
/// </summary>
internal sealed class TableOrder(string connectionString) : CommitOrder
{
    private RegisterTable _table = new();
    private uint _timeline;

    internal override bool NeedsLog => true;

    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;

    internal override async Task BeginAsync(RegisterTable table, CancellationToken cancellationToken)
    {
        _table = table;
        (_timeline, _) = await RegisterTable.PositionOfAsync(connectionString, cancellationToken).ConfigureAwait(false);
    }

    internal override async Task<RankedWal> ReadAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _table.EndAsync(connectionString, cancellationToken).ConfigureAwait(false);
            var (timeline, _) = await RegisterTable.PositionOfAsync(connectionString, cancellationToken).ConfigureAwait(false);
            if (timeline == _timeline) return new RankedWal(await ReadLogAsync(timeline, cancellationToken).ConfigureAwait(false), []);
            throw new HistoryException($"History went on from timeline {_timeline} to {timeline} meanwhile: a table does not tell what "
                + "was lost.");
        }
        catch (NpgsqlException e)
        {
            throw new HistoryException(
                $"The primary did not stay the primary, and a table does not tell what was lost: {NodeProbe.Describe(e)}.");
        }
    }

    [SuppressMessage("Security", "CA2100", Justification = "The name in the statement is the table's own.")]
    private async Task<List<RankedWrite>> ReadLogAsync(uint timeline, CancellationToken cancellationToken)
    {
        var commits = new List<RankedWrite>();
        var connection = new NpgsqlConnection(connectionString + ";Pooling=false;Application Name=tidemark-history");
        await using (connection.ConfigureAwait(false))
        {
            await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
            using var command = new NpgsqlCommand($"SELECT n, k, ver, val FROM {_table.Log} ORDER BY n", connection) { CommandTimeout = 0 };
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                    commits.Add(
                        new RankedWrite(new NotedWrite(reader.GetInt64(1), reader.GetInt64(2), reader.GetInt64(3)), timeline,
                        (ulong)reader.GetInt64(0)));
            }
        }

        return commits;
    }
}
