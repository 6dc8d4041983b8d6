using System.Globalization;
using Npgsql;
using Tidemark.Cli.Targets;

namespace Tidemark.Cli.Status;

/// <summary>
/// Asks one node what no probe asks: how busy it is, and whether somebody holds up its replay. Keeps a connection of its own.
/// </summary>
internal sealed class NodeLoad(TargetNode node) : IAsyncDisposable
{
    private const int TimeoutSeconds = 2;

    // Others' states are hidden from a role without pg_read_all_stats; how many connections there are is not.
    private const string Question = """
        SELECT CASE WHEN pg_has_role('pg_read_all_stats', 'usage') THEN (SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND backend_type = 'client backend' AND pid <> pg_backend_pid())::int END,
               (SELECT sum(numbackends) FROM pg_stat_database)::int,
               current_setting('max_connections')::int,
               CASE WHEN pg_is_in_recovery() THEN pg_get_wal_replay_pause_state() <> 'not paused' END,
               CASE WHEN pg_is_in_recovery() THEN (SELECT setting::int FROM pg_settings WHERE name = 'recovery_min_apply_delay') END,
               CASE WHEN pg_is_in_recovery() THEN EXISTS (SELECT FROM pg_stat_wal_receiver) END
        """;

    private NpgsqlConnection? _connection;

    /// <summary>
    /// What it says now; nothing where it does not answer. With what keeps reads out that a probe does not meet: the server is there, the
    /// database is not.
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
            // The monitor tells why; the next question opens a new connection.
            await DisposeAsync();
            return (null, [], e is PostgresException { SqlState: PostgresErrorCodes.InvalidCatalogName }
                ? $"it has no database {node.Settings.Database ?? node.Settings.Username}" : null);
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
        if (!answer.IsDBNull(5) && !answer.GetBoolean(5)) yield return "receives nothing";
    }
}
