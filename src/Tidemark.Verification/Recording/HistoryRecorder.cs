using Tidemark.Testing;

namespace Tidemark.Verification;

/// <summary>
/// Records the operations of clients on a real cluster and their results for <see cref="HistoryChecker"/>. It creates a table for this
/// purpose and drops it when it is disposed of. Instances are thread-safe.
/// </summary>
/// <remarks>
/// The access path is arbitrary: a <see cref="TidemarkDataSource"/>, EF Core, or plain Npgsql. The history records the result that a client
/// received, the node that reported to have served it, and the order of commits in the WAL.
/// </remarks>
public sealed class HistoryRecorder : IAsyncDisposable
{
    // A replica that is delayed by minutes is not suitable for reads.
    private static readonly TimeSpan PatienceForTable = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private readonly HistoryBuilder _builder;
    private readonly Dictionary<string, int> _nodes = [];
    private readonly AsyncLocal<RecordedClient?> _current = new();
    private readonly IReadOnlyDictionary<string, string> _connectionStrings;
    private readonly CommitOrder _order;
    private readonly TimeProvider _time;
    private readonly List<long> _beforeForks = [];
    private readonly List<TidemarkDataSource> _watched = [];
    private long _lastValue;
    private bool _isComplete;

    private HistoryRecorder(IReadOnlyDictionary<string, string> nodes, CommitOrder order, int keys, TimeProvider time, string? schema)
    {
        (_connectionStrings, _order, Keys, _time, Table) = (nodes, order, keys, time, new RegisterTable(schema));
        _builder = new HistoryBuilder(time.TimestampFrequency);
    }

    /// <summary>
    /// Name of the table. Its columns are <c>k int</c>, the key; <c>ver bigint</c>, which a write increments; and <c>val bigint</c>, which
    /// a write sets to its own value.
    /// </summary>
    public string TableName => Table.Name;

    /// <summary>Number of rows. Their keys are counted from 0.</summary>
    public int Keys { get; }

    /// <summary>
    /// Number of writes that were committed more than once. <see cref="CompleteAsync"/> sets it, and rejects a history with such writes.
    /// </summary>
    public int DoubleWrites { get; private set; }

    /// <summary>The SQL expression by which a node reports its own address. Use it in reads that do not use the recorder's SQL.</summary>
    public static string ServerSql => RegisterTable.ServerSql;

    internal RegisterTable Table { get; }

    /// <summary>Creates the table on a local cluster and starts following its WAL.</summary>
    /// <param name="cluster">The cluster. Its primary and replicas must be running.</param>
    /// <param name="keys">Number of rows to create, at least 1. With fewer rows, more sessions access the same row.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    public static Task<HistoryRecorder> StartAsync(LocalCluster cluster, int keys = 16, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        return StartAsync(cluster.Nodes.Where(node => node.IsRunning).ToDictionary(node => node.Name, node => node.ConnectionString),
            CommitOrder.Of(cluster), keys, cancellationToken: cancellationToken);
    }

    /// <summary>Creates the table on any cluster and starts following its WAL.</summary>
    /// <param name="nodes">
    /// Connection string of each node, by node name. Exactly one node is the primary, the others are its replicas, and all must be
    /// reachable.
    /// </param>
    /// <param name="order">The source of the commit order. The recorder disposes of it.</param>
    /// <param name="keys">Number of rows to create, at least 1. With fewer rows, more sessions access the same row.</param>
    /// <param name="time">The clock of the history. Default: <see cref="TimeProvider.System"/>.</param>
    /// <param name="schema">
    /// A schema that does not exist yet. It is created, contains all objects, and is dropped at the end. If <see langword="null"/> (the
    /// default), tables are created in the role's default schema.
    /// </param>
    /// <param name="cancellationToken">Cancels the operation, which waits until every node shows the table.</param>
    /// <exception cref="ArgumentException">
    /// The schema name contains characters other than lower-case letters, digits and underscores.
    /// </exception>
    /// <exception cref="InvalidOperationException">
    /// None or several of the nodes are primaries, or a node does not show the table within 30 s.
    /// </exception>
    public static async Task<HistoryRecorder> StartAsync(
        IReadOnlyDictionary<string, string> nodes, CommitOrder order, int keys = 16, TimeProvider? time = null, string? schema = null,
            CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(nodes);
        ArgumentNullException.ThrowIfNull(order);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(keys);
        if (schema is not null
            && (schema.Length is 0 or > 40 || !schema.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '_')
            || char.IsAsciiDigit(schema[0])))
            throw new ArgumentException("The schema name must consist of 1 to 40 lower-case letters, digits and underscores, "
                + "and not begin with a digit.",
                nameof(schema));
        var recorder = new HistoryRecorder(nodes, order, keys, time ?? TimeProvider.System, schema);
        try
        {
            await recorder.StartAsync(cancellationToken).ConfigureAwait(false);
            return recorder;
        }
        catch
        {
            await recorder.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Adds a client: one session, whose operations bind each other.</summary>
    /// <param name="name">
    /// Name of the client, which violation texts contain, or <see langword="null"/> for a name such as "client 7".
    /// </param>
    public RecordedClient AddClient(string? name = null)
    {
        lock (_lock) return new RecordedClient(this, _builder.AddClient(name));
    }

    /// <summary>
    /// Records the losses that a data source reports (<see cref="TidemarkDataSource.WriteLost"/>). Each loss is recorded for the client in
    /// whose execution context it is reported.
    /// </summary>
    /// <param name="source">The data source.</param>
    public void Watch(TidemarkDataSource source)
    {
        ArgumentNullException.ThrowIfNull(source);
        source.WriteLost += ReportLoss;
        _watched.Add(source);
    }

    /// <summary>
    /// Records that the next timeline does not exist yet. Calling it before each promotion makes the verdict more precise: an earlier loss
    /// report then concerns another fork.
    /// </summary>
    public void BeforePromotion() => _beforeForks.Add(Now());

    /// <summary>
    /// Waits until the writes in progress have ended, reads the order of commits, and returns the history. The recorder records nothing
    /// afterwards.
    /// </summary>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="HistoryException">The WAL is incomplete, or contradicts what was recorded.</exception>
    public async Task<History> CompleteAsync(CancellationToken cancellationToken = default)
    {
        var wal = await _order.ReadAsync(cancellationToken).ConfigureAwait(false);
        lock (_lock)
        {
            _isComplete = true;
            DoubleWrites = wal.Commits.Count - wal.Commits.DistinctBy(commit => (commit.Write.Value, commit.Timeline)).Count();
            foreach (var ((key, version, value), timeline, position) in wal.Commits) _builder.Commit(key, version, value, timeline,
                (long)position);

            // The last record that begins before the fork is the last one that the child contains.
            foreach (var (index, fork) in wal.Forks.Index())
                _builder.Fork(fork.Parent, fork.Child, (long)(ulong)fork.AtLeast - 1, index < _beforeForks.Count
                    ? _beforeForks[index] : long.MinValue);
            return _builder.Build();
        }
    }

    /// <summary>
    /// Drops the table on the current primary, and the slot that kept the WAL. Objects on unreachable servers are left in place.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var source in _watched) source.WriteLost -= ReportLoss;
        await _order.DisposeAsync().ConfigureAwait(false);
        foreach (var node in _connectionStrings.Values)
        {
            try
            {
                if ((await RegisterTable.ServerOfAsync(node, CancellationToken.None).ConfigureAwait(false)).IsPrimary)
                    await Table.DropAsync(node, CancellationToken.None).ConfigureAwait(false);
            }
#pragma warning disable CA1031 // A node that is down, or was never the primary, keeps its objects. Nothing else depends on them.
            catch (Exception)
#pragma warning restore CA1031
            {
            }
        }
    }

    internal TimeProvider Time => _time;

    internal long Now() => _time.GetTimestamp();

    internal long NextValue() => Interlocked.Increment(ref _lastValue);

    /// <summary>Assigns losses that are reported within the caller's execution context to a client.</summary>
    internal void Enter(RecordedClient client) => _current.Value = client;

    internal void Record(Action<HistoryBuilder> record)
    {
        lock (_lock)
        {
            // A result that arrives after the end would contradict the WAL, which was read before it.
            if (!_isComplete) record(_builder);
        }
    }

    internal void RecordRead(int client, long start, long end, RecordedAnswer answer, ReadGuarantees guarantees, TimeSpan? maxStaleness)
    {
        lock (_lock)
        {
            if (_isComplete) return;
            if (!_nodes.TryGetValue(answer.Server, out var node)) _nodes.Add(answer.Server, node = _builder.AddNode(answer.Server));
            _builder.Read(client, start, end, node, answer.OnPrimary, [.. answer.Rows], guarantees, maxStaleness);
        }
    }

    private void ReportLoss(object? sender, LostWrite lost) => _current.Value?.ReportLoss();

    private async Task StartAsync(CancellationToken cancellationToken)
    {
        List<(string Name, string ConnectionString)> primaries = [];
        foreach (var (name, connectionString) in _connectionStrings)
        {
            var (server, isPrimary) = await RegisterTable.ServerOfAsync(connectionString, cancellationToken).ConfigureAwait(false);
            if (!_nodes.TryAdd(server, _nodes.Count))
                throw new InvalidOperationException(
                    $"Two of the nodes are the same server, which reports the address {server}. One of them is {name}.");
            _builder.AddNode(name);
            if (isPrimary) primaries.Add((name, connectionString));
        }

        if (primaries.Count != 1)
            throw new InvalidOperationException(
                "Recording a history requires a cluster with exactly one primary, but this cluster has "
                + $"{(primaries.Count == 0 ? "none" : string.Join(" and ", primaries.Select(p => p.Name)))}.");
        await _order.BeginAsync(Table, cancellationToken).ConfigureAwait(false);
        await Table.CreateAsync(primaries[0].ConnectionString, Keys, _order.NeedsLog, cancellationToken).ConfigureAwait(false);
        var start = _time.GetTimestamp();
        foreach (var (name, connectionString) in _connectionStrings)
        {
            while (!await Table.IsOnAsync(connectionString, cancellationToken).ConfigureAwait(false))
            {
                if (_time.GetElapsedTime(start) > PatienceForTable)
                    throw new InvalidOperationException(
                    $"{name} has not shown the table within {PatienceForTable.TotalSeconds} s: its replay is paused, disconnected or far "
                    + "behind.");
                await Task.Delay(TimeSpan.FromMilliseconds(20), _time, cancellationToken).ConfigureAwait(false);
            }
        }
    }
}
