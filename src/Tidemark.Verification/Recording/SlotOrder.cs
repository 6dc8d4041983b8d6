using System.Diagnostics.CodeAnalysis;
using Npgsql;

namespace Tidemark.Verification;

/// <summary>The order of commits from a logical slot that exists until the recorder is disposed of.</summary>
internal sealed class SlotOrder(string connectionString) : CommitOrder
{
    private RegisterTable _table = new();
    private uint _timeline;
    private bool _hasBegun;

    // The publication contains no table. All messages are sent nevertheless.
    private string Name => _table.Note + "_order";

    [SuppressMessage("Design", "CA1031", Justification = "If the server is gone, the slot is gone or cannot be dropped. The relevant "
        + "error was raised earlier.")]
    public override async ValueTask DisposeAsync()
    {
        if (!_hasBegun) return;
        try
        {
            await RunAsync($"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '{Name}'",
                CancellationToken.None).ConfigureAwait(false);
            await RunAsync($"DROP PUBLICATION IF EXISTS {Name}", CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception)
        {
        }
    }

    internal override async Task BeginAsync(RegisterTable table, CancellationToken cancellationToken)
    {
        _table = table;
        var level = await RegisterTable.QueryAsync(connectionString, "SHOW wal_level", reader => reader.GetString(0), cancellationToken)
            .ConfigureAwait(false);
        if (level != "logical")
            throw new InvalidOperationException(
                "Reading the order of commits from a logical slot requires wal_level = logical on the primary, "
                + $"but it is {level}. Set it and restart the primary.");
        _hasBegun = true;
        await RunAsync($"CREATE PUBLICATION {Name}", cancellationToken).ConfigureAwait(false);
        await RunAsync($"SELECT pg_create_logical_replication_slot('{Name}', 'pgoutput')", cancellationToken).ConfigureAwait(false);
        (_timeline, _) = await RegisterTable.PositionOfAsync(connectionString, cancellationToken).ConfigureAwait(false);
    }

    internal override async Task<RankedWal> ReadAsync(CancellationToken cancellationToken)
    {
        await _table.EndAsync(connectionString, cancellationToken).ConfigureAwait(false);
        var (timeline, _) = await RegisterTable.PositionOfAsync(connectionString, cancellationToken).ConfigureAwait(false);
        if (timeline != _timeline)
            throw new HistoryException($"History continued from timeline {_timeline} to {timeline} meanwhile. A logical slot does not "
                + "show what was lost. Read the WAL files instead.");

        var decoded = new DecodedMessages(_table.Note, timeline);
        var connection = new NpgsqlConnection(connectionString + ";Pooling=false;Application Name=tidemark-history");
        await using (connection.ConfigureAwait(false))
        {
            await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
            using var command = new NpgsqlCommand(
                $"SELECT data FROM pg_logical_slot_get_binary_changes('{Name}', NULL, NULL, 'proto_version', '1', "
                + $"'publication_names', '{Name}', 'messages', 'true')", connection);
            command.CommandTimeout = 0;
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) 
                    decoded.Add(await reader.GetFieldValueAsync<byte[]>(0, cancellationToken).ConfigureAwait(false));
            }
        }

        return decoded.HasEnd ? new RankedWal(decoded.Commits, []) : throw new HistoryException("The slot ends before the recorded end: "
            + "another client has read from it.");
    }

    private Task RunAsync(string sql, CancellationToken cancellationToken) =>
        RegisterTable.RunAsync(connectionString, sql, cancellationToken);
}
