using System.Collections.Immutable;
using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Npgsql;

namespace Tidemark.Cli.Doctor;

/// <summary>
/// Asks one node all questions, on one connection. A question that is refused, or not answered in time, leaves its section unseen; it never
/// fails the rest.
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

    /// <summary>What is known of the node by now.</summary>
    public NodeFacts Facts { get; private set; } = new() { Name = node.Name };

    /// <summary>Connects, and asks everything.</summary>
    /// <param name="deadline">When the node's time is up.</param>
    public async Task AskAllAsync(CancellationToken deadline)
    {
        try
        {
            // Loading the types of a database takes a round trip, and only text is read.
            _source = new NpgsqlDataSourceBuilder(ForAsking().ConnectionString)
                .ConfigureTypeLoading(types => types.EnableTypeLoading(false)).Build();
            _connection = await PromptlyAsync(_source.OpenConnectionAsync(deadline).AsTask(), deadline);
        }
#pragma warning disable CA1031 // Whatever stands in the way is an answer about the node.
        catch (Exception e)
#pragma warning restore CA1031
        {
            _failure = ConnectionFailure.Of(e, node.Settings, bounds.Timeout);
        }

        foreach (var question in Questions.All)
        {
            if (_failure is null) await AskAsync(question, deadline);
        }

        if (_failure is null) await LookBehindAsync(deadline);
        Note();
    }

    /// <summary>Asks again how far the node is, until it is there or the time is up. Never less than once.</summary>
    public async Task CatchUpAsync(long position, TimeProvider time, CancellationToken limit)
    {
        do
        {
            using var once = new CancellationTokenSource(bounds.LockTimeout, time);
            await AskAsync(Questions.Position, once.Token);
            Note();
        }
        while (!_isAbandoned && Facts.Position?.Position < position && await NotYetAsync(time, limit));
    }

    // A balancer, or a name with several addresses, sends the next connections elsewhere.
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
            // A server with no connection left says nothing about others.
        }
    }

    public async ValueTask DisposeAsync()
    {
        // What still waits for a server that says nothing ends with the process.
        if (_isAbandoned) return;
        if (_connection is not null) await _connection.DisposeAsync();
        if (_source is not null) await _source.DisposeAsync();
    }

    // The driver cancels by asking the server, and waits for it; one that is gone says nothing to that either.
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

    private async Task AskAsync(Question question, CancellationToken deadline)
    {
        if (question.NeedsStatistics && _answers["server"] is { } server && !server["sees_statistics"]!.GetValue<bool>())
        {
            _unseen[question.Section] = $"role {server["role"]} has not the rights of pg_read_all_stats";
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

    // A transaction of its own, so that nothing stays set on a connection that a pooler hands to others, and names mean what they mean in
    // pg_catalog.
    // Its level is said because a standby refuses serializable, which may be the default.
    private async Task<string> AnswerAsync(string sql, CancellationToken deadline)
    {
        await using var batch = new NpgsqlBatch(_connection)
        {
            BatchCommands =
            {
                new NpgsqlBatchCommand("BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY"),
                new NpgsqlBatchCommand(
                    $"SELECT set_config('search_path', 'pg_catalog', true), set_config('lock_timeout', '{bounds.LockTimeout.TotalMilliseconds:F0}', true), set_config('statement_timeout', '{bounds.Timeout.TotalMilliseconds:F0}', true)"),
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
            $"no answer within {bounds.Timeout.TotalSeconds:0.#} s",
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

    private NpgsqlConnectionStringBuilder ForAsking() => new(node.Settings.ConnectionString)
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
