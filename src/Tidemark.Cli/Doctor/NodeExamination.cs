using System.Collections.Immutable;
using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Npgsql;

namespace Tidemark.Cli.Doctor;

/// <summary>
/// Runs all queries on one node, on one connection. If a query is refused or times out, its section is missing; the other queries still
/// run.
/// </summary>
internal sealed class NodeExamination(DoctorNode node, DoctorBounds bounds) : IAsyncDisposable
{
    private const int FurtherConnections = 3;

    private static readonly JsonSerializerOptions Snake = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    private readonly Dictionary<Section, string> _unseen = [];
    private readonly JsonObject _answers = [];
    private NpgsqlDataSource? _source;
    private NpgsqlConnection? _connection;
    private ConnectionFailure? _failure;
    private bool _isAbandoned;
    private List<NamedServer>? _behind;

    /// <summary>What the node has reported so far.</summary>
    public NodeFacts Facts { get; private set; } = new() { Name = node.Name };

    /// <summary>Connects and runs all queries.</summary>
    /// <param name="deadline">Cancelled when the time-out of the node expires.</param>
    public async Task QueryAllAsync(CancellationToken deadline)
    {
        try
        {
            // Loading the types of a database takes a round trip and is not needed, since only text is read.
            _source = new NpgsqlDataSourceBuilder(ForQueries().ConnectionString)
                .ConfigureTypeLoading(types => types.EnableTypeLoading(false)).Build();
            _connection = await PromptlyAsync(_source.OpenConnectionAsync(deadline).AsTask(), deadline);
        }
#pragma warning disable CA1031 // Every failure to connect is a result of the examination.
        catch (Exception e)
#pragma warning restore CA1031
        {
            _failure = ConnectionFailure.Of(e, node.Settings, bounds.Timeout);
        }

        foreach (var question in Questions.All)
        {
            if (_failure is null) await QueryAsync(question, deadline);
        }

        if (_failure is null) await LookBehindAsync(deadline);
        Note();
    }

    /// <summary>
    /// Queries the WAL position at least once, until the node has reached <paramref name="position"/> or the limit expires.
    /// </summary>
    public async Task CatchUpAsync(long position, TimeProvider time, CancellationToken limit)
    {
        do
        {
            using var once = new CancellationTokenSource(bounds.LockTimeout, time);
            await QueryAsync(Questions.Position, once.Token);
            Note();
        }
        while (!_isAbandoned && Facts.Position?.Position < position && await NotYetAsync(time, limit));
    }

    // A load balancer, or a name with several addresses, sends further connections to other servers.
    private async Task LookBehindAsync(CancellationToken deadline)
    {
        _behind = [];
        try
        {
            for (var i = 0; i < FurtherConnections && !_isAbandoned; i++)
            {
                var connection = await PromptlyAsync(_source!.OpenConnectionAsync(deadline).AsTask(), deadline);
                await using (connection)
                {
                    await using var command = new NpgsqlCommand(
                        "SELECT extract(epoch FROM pg_postmaster_start_time())::text || ' ' || (SELECT system_identifier FROM "
                            + "pg_control_system())", connection);
                    if (await PromptlyAsync(command.ExecuteScalarAsync(deadline), deadline) is string answer
                        && answer.Split(' ') is [var startedAt, var identifier])
                        _behind.Add(new NamedServer(startedAt, identifier));
                }
            }
        }
        catch (Exception e) when (e is NpgsqlException or OperationCanceledException or TimeoutException or IOException
            or InvalidOperationException)
        {
            // A server without free connections does not prove that there are other servers.
        }
    }

    public async ValueTask DisposeAsync()
    {
        // A task that still waits for an unresponsive server ends with the process.
        if (_isAbandoned) return;
        if (_connection is not null) await _connection.DisposeAsync();
        if (_source is not null) await _source.DisposeAsync();
    }

    // The driver sends a cancel request and waits for the response, which never comes if the server is unresponsive.
    private async Task<T> PromptlyAsync<T>(Task<T> work, CancellationToken deadline)
    {
        try
        {
            return await work.WaitAsync(deadline);
        }
        catch (OperationCanceledException)
        {
            _isAbandoned = !work.IsCompleted;
            throw;
        }
    }

    private static async Task<bool> NotYetAsync(TimeProvider time, CancellationToken limit)
    {
        await Task.Delay(TimeSpan.FromMilliseconds(20), time, limit).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return !limit.IsCancellationRequested;
    }

    private async Task QueryAsync(Question question, CancellationToken deadline)
    {
        if (question.NeedsStatistics && _answers["server"] is { } server && !server["sees_statistics"]!.GetValue<bool>())
        {
            _unseen[question.Section] = $"role {server["role"]} does not have the privileges of pg_read_all_stats";
            return;
        }

        try
        {
            deadline.ThrowIfCancellationRequested();
            var answer = await PromptlyAsync(AnswerAsync(question.Sql, deadline), deadline);
            _answers[JsonNamingPolicy.SnakeCaseLower.ConvertName(question.Section.ToString())] = JsonNode.Parse(answer);
            _unseen.Remove(question.Section);
        }
        catch (Exception e) when (e is NpgsqlException or OperationCanceledException or TimeoutException or IOException
            or InvalidOperationException)
        {
            _unseen[question.Section] = Because(e);
        }
    }

    // In a separate transaction, so that no setting remains on a connection that a pooler gives to other clients, and so that names resolve
    // in pg_catalog. The isolation level is explicit because a standby rejects serializable, which may be the default.
    private async Task<string> AnswerAsync(string sql, CancellationToken deadline)
    {
        await using var batch = new NpgsqlBatch(_connection)
        {
            BatchCommands =
            {
                new NpgsqlBatchCommand("BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY"),
                new NpgsqlBatchCommand(
                    $"SELECT set_config('search_path', 'pg_catalog', true), set_config('lock_timeout', "
                        + $"'{bounds.LockTimeout.TotalMilliseconds:F0}', true), set_config('statement_timeout', "
                        + $"'{bounds.Timeout.TotalMilliseconds:F0}', true)"),
                new NpgsqlBatchCommand(sql),
                new NpgsqlBatchCommand("COMMIT"),
            },
        };
        try
        {
            await using var reader = await batch.ExecuteReaderAsync(deadline);
            await reader.NextResultAsync(deadline);
            await reader.ReadAsync(deadline);
            return reader.GetString(0);
        }
        catch (PostgresException)
        {
            var rollback = new NpgsqlCommand("ROLLBACK", _connection);
            await using (rollback) await rollback.ExecuteNonQueryAsync(deadline);
            throw;
        }
    }

    private string Because(Exception failure) => failure switch
    {
        PostgresException refused => $"{refused.SqlState}: {refused.MessageText}",
        OperationCanceledException or TimeoutException or { InnerException: TimeoutException } =>
            $"no response within {bounds.Timeout.TotalSeconds:0.#} s",
        _ => "the connection was lost",
    };

    private void Note() => Facts = JsonSerializer.Deserialize<NodeFacts>(_answers, Snake)! with
    {
        Name = node.Name,
        Address = $"host={node.Settings.Host} port={node.Settings.Port}",
        IsLoopback = IsLoopback(node.Settings.Host ?? ""),
        PoolSize = node.PoolSize,
        Failure = _failure,
        Behind = _behind,
        Unseen = _unseen.ToImmutableDictionary(),
    };

    private static bool IsLoopback(string host) =>
        host.StartsWith('/') || host.StartsWith('@') || host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            || (IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address));

    private NpgsqlConnectionStringBuilder ForQueries() => new(node.Settings.ConnectionString)
    {
        Pooling = false,
        Multiplexing = false,
        Enlist = false,
        ApplicationName = "tidemark doctor",
        Timeout = Math.Max(1, (int)Math.Ceiling(bounds.Timeout.TotalSeconds)),
        CommandTimeout = Math.Max(1, (int)Math.Ceiling(bounds.Timeout.TotalSeconds)),
        CancellationTimeout = -1,
    };
}
