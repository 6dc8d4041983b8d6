using System.Diagnostics.CodeAnalysis;
using Npgsql;

namespace Tidemark.Verification;

/// <summary>
/// The order of commits from a table to which each write adds a row. The number of the row comes from one counter row that all writes
/// update last. A write can therefore take its number only after the previous write has committed, and the order of numbers is the order of
/// commits in the WAL.
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
            throw new HistoryException($"History continued from timeline {_timeline} to {timeline} meanwhile. A table does not show what "
                + "was lost.");
        }
        catch (NpgsqlException e)
        {
            throw new HistoryException(
                $"The primary has changed, and a table does not show what was lost: {NodeProbe.Describe(e)}.");
        }
    }

    [SuppressMessage("Security", "CA2100", Justification = "The recorder generates the name in the statement.")]
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
