using Tidemark.Testing;

namespace Tidemark.Verification;

/// <summary>
/// Records what clients do with a real cluster and what it shows them, for <see cref="HistoryChecker"/>. It owns a table for the purpose,
/// and drops it when it is disposed of. Safe for concurrent use.
/// </summary>
/// <remarks>
/// Anything can stand between a client and the cluster: a <see cref="TidemarkDataSource"/>, EF Core, plain Npgsql. What counts is what a
/// client was told, the node that answered, by its own word, and the order of commits in the WAL.
/// </remarks>
public sealed class HistoryRecorder : IAsyncDisposable
{
    // A replica that is delayed by minutes is no replica to read from.
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
    /// The table: <c>k int</c>, the key; <c>ver bigint</c>, which a write raises by one; <c>val bigint</c>, which it sets to its own value.
    /// </summary>
    public string TableName => Table.Name;

    /// <summary>How many rows there are; their keys count from 0.</summary>
    public int Keys { get; }

    /// <summary>
    /// Writes that were committed more than once, as <see cref="CompleteAsync"/> has found, which refuses a history with any.
    /// </summary>
    public int DoubleWrites { get; private set; }

    /// <summary>The SQL with which a node gives its own address, for reads of one's own.</summary>
    public static string ServerSql => RegisterTable.ServerSql;

    internal RegisterTable Table { get; }

    /// <summary>Makes the table on a local cluster and begins to follow its WAL.</summary>
    /// <param name="cluster">The cluster; its primary and replicas run.</param>
    /// <param name="keys">How many rows to make, from 1. The fewer, the more sessions meet.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    public static Task<HistoryRecorder> StartAsync(LocalCluster cluster, int keys = 16, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        return StartAsync(cluster.Nodes.Where(node => node.IsRunning).ToDictionary(node => node.Name, node => node.ConnectionString),
            CommitOrder.Of(cluster), keys, cancellationToken: cancellationToken);
    }

    /// <summary>Makes the table on any cluster and begins to follow its WAL.</summary>
    /// <param name="nodes">
    /// How to reach each node, by its name. One of them is the primary, all answer, and its replicas are among them.
    /// </param>
    /// <param name="order">Where the order of commits comes from. The recorder disposes of it.</param>
    /// <param name="keys">How many rows to make, from 1. The fewer, the more sessions meet.</param>
    /// <param name="time">The clock of the history. Default <see cref="TimeProvider.System"/>.</param>
    /// <param name="schema">
    /// A schema that does not exist: it is made, holds everything, and is dropped at the end. Default null: tables go where the role's
    /// tables go.
    /// </param>
    /// <param name="cancellationToken">Ends the start, which waits until every node shows the table.</param>
    /// <exception cref="ArgumentException">The schema is not a name of small letters, digits and underscores.</exception>
    /// <exception cref="InvalidOperationException">
    /// None or several of the nodes are primaries, or one does not show the table within 30 s.
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
            throw new ArgumentException("A schema is named by up to 40 small letters, digits and underscores, the first no digit.",
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

    /// <summary>Adds a client: one session, whose operations bind one another.</summary>
    /// <param name="name">Its name, which sentences about violations quote; null for "client 7".</param>
    public RecordedClient AddClient(string? name = null)
    {
        lock (_lock) return new RecordedClient(this, _builder.AddClient(name));
    }

    /// <summary>
    /// Records the losses that a data source reports (<see cref="TidemarkDataSource.WriteLost"/>) for the client in whose flow each is
    /// reported.
    /// </summary>
    /// <param name="source">The data source.</param>
    public void Watch(TidemarkDataSource source)
    {
        ArgumentNullException.ThrowIfNull(source);
        source.WriteLost += ReportLoss;
        _watched.Add(source);
    }

    /// <summary>
    /// Notes that the next timeline does not exist yet. Called before each promotion, it makes the verdict sharper: a loss that is reported
    /// earlier is then about something else.
    /// </summary>
    public void BeforePromotion() => _beforeForks.Add(Now());

    /// <summary>
    /// Waits until the writes that are under way have ended, learns the order of commits, and returns the history. Records no more.
    /// </summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="HistoryException">The WAL is not all there, or contradicts what was recorded.</exception>
    public async Task<History> CompleteAsync(CancellationToken cancellationToken = default)
    {
        var wal = await _order.ReadAsync(cancellationToken).ConfigureAwait(false);
        lock (_lock)
        {
            _isComplete = true;
            DoubleWrites = wal.Commits.Count - wal.Commits.DistinctBy(commit => (commit.Write.Value, commit.Timeline)).Count();
            foreach (var ((key, version, value), timeline, position) in wal.Commits) _builder.Commit(key, version, value, timeline,
                (long)position);

            // The last record that begins before the fork is the last that the child has.
            foreach (var (index, fork) in wal.Forks.Index())
                _builder.Fork(fork.Parent, fork.Child, (long)(ulong)fork.AtLeast - 1, index < _beforeForks.Count
                    ? _beforeForks[index] : long.MinValue);
            return _builder.Build();
        }
    }

    /// <summary>Drops the table, on the node that is the primary now, and whatever kept the WAL. What cannot be reached is left.</summary>
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
#pragma warning disable CA1031 // A node that is down, or was never the primary, keeps what it has; nothing else depends on it.
            catch (Exception)
#pragma warning restore CA1031
            {
            }
        }
    }

    internal TimeProvider Time => _time;

    internal long Now() => _time.GetTimestamp();

    internal long NextValue() => Interlocked.Increment(ref _lastValue);

    /// <summary>Losses that are reported within the caller's flow are this client's.</summary>
    internal void Enter(RecordedClient client) => _current.Value = client;

    internal void Record(Action<HistoryBuilder> record)
    {
        lock (_lock)
        {
            // An answer that comes after the end would contradict a WAL that was read before it.
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
                throw new InvalidOperationException($"Two of the nodes are the server that calls itself {server}; {name} is one of them.");
            _builder.AddNode(name);
            if (isPrimary) primaries.Add((name, connectionString));
        }

        if (primaries.Count != 1)
            throw new InvalidOperationException(
                $"A history is recorded on a cluster with one primary, and this has {(primaries.Count == 0 ? "none" : string.Join(" and ", primaries.Select(p => p.Name)))}.");
        await _order.BeginAsync(Table, cancellationToken).ConfigureAwait(false);
        await Table.CreateAsync(primaries[0].ConnectionString, Keys, _order.NeedsLog, cancellationToken).ConfigureAwait(false);
        var start = _time.GetTimestamp();
        foreach (var (name, connectionString) in _connectionStrings)
        {
            while (!await Table.IsOnAsync(connectionString, cancellationToken).ConfigureAwait(false))
            {
                if (_time.GetElapsedTime(start) > PatienceForTable)
                    throw new InvalidOperationException(
                    $"{name} has not shown the table within {PatienceForTable.TotalSeconds} s: its replay is paused, cut off or far "
                    + "behind.");
                await Task.Delay(TimeSpan.FromMilliseconds(20), _time, cancellationToken).ConfigureAwait(false);
            }
        }
    }
}
