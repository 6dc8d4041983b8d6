using System.Globalization;
using Npgsql;
using Tidemark.Cli.Targets;

namespace Tidemark.Cli.Status;

/// <summary>
/// Queries one node for information that a probe does not read: its load, and whether its replay is paused or delayed. Uses a separate
/// connection, which stays open.
/// </summary>
internal sealed class NodeLoad(TargetNode node) : IAsyncDisposable
{
    private const int TimeoutSeconds = 2;

    // A role without pg_read_all_stats cannot read the state of other sessions, but can read the number of connections.
    private const string Question = """
        SELECT CASE WHEN pg_has_role('pg_read_all_stats', 'usage') THEN (SELECT count(*) FROM pg_stat_activity
                    WHERE state = 'active' AND backend_type = 'client backend' AND pid <> pg_backend_pid())::int END,
               (SELECT sum(numbackends) FROM pg_stat_database)::int,
               current_setting('max_connections')::int,
               CASE WHEN pg_is_in_recovery() THEN pg_get_wal_replay_pause_state() <> 'not paused' END,
               CASE WHEN pg_is_in_recovery() THEN (SELECT setting::int FROM pg_settings WHERE name = 'recovery_min_apply_delay') END,
               CASE WHEN pg_is_in_recovery() THEN EXISTS (SELECT FROM pg_stat_wal_receiver) END
        """;

    private NpgsqlConnection? _connection;

    /// <summary>
    /// Returns the current load and notes, or <c>null</c> and no notes if the node does not respond. The obstacle is a reason why reads
    /// fail that a probe does not detect: the server responds, but does not have the database.
    /// </summary>
    public async Task<(LoadRecord? Load, IReadOnlyList<string> Notes, string? Obstacle)> ReadAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (_connection is null)
            {
                var settings =
                    new NpgsqlConnectionStringBuilder(node.Settings.ConnectionString) { Pooling = false, Timeout = TimeoutSeconds,
                    CommandTimeout = TimeoutSeconds };
                _connection = new NpgsqlConnection(settings.ConnectionString);
                await _connection.OpenAsync(cancellationToken);
            }

            using var command = new NpgsqlCommand(Question, _connection);
            await using var answer = await command.ExecuteReaderAsync(cancellationToken);
            await answer.ReadAsync(cancellationToken);
            return (Load(answer), [.. Notes(answer)], null);
        }
        catch (Exception e) when (e is NpgsqlException or TimeoutException)
        {
            // The monitor reports the reason. The next call opens a new connection.
            await DisposeAsync();
            return (null, [], e is PostgresException { SqlState: PostgresErrorCodes.InvalidCatalogName }
                ? $"no database {node.Settings.Database ?? node.Settings.Username}" : null);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_connection is not null) await _connection.DisposeAsync();
        _connection = null;
    }

    private static LoadRecord Load(NpgsqlDataReader answer) =>
        new(answer.IsDBNull(0) ? null : answer.GetInt32(0), answer.IsDBNull(1) ? 0 : answer.GetInt32(1), answer.GetInt32(2));

    private static IEnumerable<string> Notes(NpgsqlDataReader answer)
    {
        if (!answer.IsDBNull(3) && answer.GetBoolean(3)) yield return "replay is paused";
        if (!answer.IsDBNull(4) && answer.GetInt32(4) is > 0 and var delay)
            yield return string.Create(CultureInfo.InvariantCulture, $"replay is delayed by {delay} ms");
        if (!answer.IsDBNull(5) && !answer.GetBoolean(5)) yield return "receives no WAL";
    }
}
