using Microsoft.Extensions.Logging;
using Npgsql;

namespace Tidemark;

/// <summary>
/// Decides and opens: the one place where routing meets the pools of the nodes. Owns the pools, the monitor and the count of reads in
/// flight.
/// </summary>
internal sealed class ClusterConnections : IAsyncDisposable, IDisposable
{
    // A lone node leaves nothing to choose; it is asked only so that Explain and errors can tell its role.
    private static readonly TimeSpan LoneNodeInterval = TimeSpan.FromSeconds(1);

    private readonly NodePools[] _pools;
    private readonly int[] _readsInFlight;
    private readonly Router _router;
    private readonly ConnectionEpochs _epochs = new();
    private readonly TimeProvider _time;
    private readonly Func<int, int[], Task<int[]>>? _askBackends;
    private readonly Func<int, string[], Task<string[]>>? _askTransactions;
    private volatile bool _isDisposed;

    public ClusterConnections(ClusterSettings settings)
    {
        var options = settings.Options;
        var nodes = options.Nodes.ToArray();
        var isAlone = nodes.Length == 1;
        var logger = Logger = settings.Logger;
        _time = settings.TimeProvider;
        _askBackends = settings.AskBackends;
        _askTransactions = settings.AskTransactions;
        Names = [.. nodes.Select(n => n.Key)];
        _pools = [.. nodes.Select(n => new NodePools(n.Key, n.Value, settings, isAlone))];
        _readsInFlight = new int[nodes.Length];
        using (var connection = _pools[0].Writes.CreateConnection()) Database = connection.Database;

        var rules = new RoutingRules(
            [.. nodes.Select(n => n.Value.Weight)],
            [.. nodes.Select(n => options.Zone is not null
                && string.Equals(n.Value.Zone, options.Zone, StringComparison.OrdinalIgnoreCase))],
            options.PrimaryReadWeight)
        {
            Seeds = [.. Names.Select(Rendezvous.Seed)],
            Time = settings.TimeProvider,
        };
        _router = new Router(rules, Balancer.For(options.Balancing, new Chance(settings.Seed ?? settings.TimeProvider.GetTimestamp())));

        var interval = isAlone && options.ProbeInterval < LoneNodeInterval ? LoneNodeInterval : options.ProbeInterval;
        var identifier = options.SystemIdentifier ?? 0;
        Monitor = settings.ProbeNodes is { } ask
            ? new ClusterMonitor(Names, ask, interval, options.ProbeTimeout, settings.TimeProvider, logger, settings.Resumption, identifier)
            : new ClusterMonitor(
                Names, [.. _pools.Select(p => p.Probe)], interval, options.ProbeTimeout, _pools.Max(p => p.Probe.LongestConnect),
                    settings.TimeProvider, logger,
                identifier);
        for (var index = 0; index < _pools.Length; index++)
        {
            var node = index;
            _pools[index].Probe.BeforeAnswer = answer => ClearAfterRestart(node, answer);
        }

        Monitor.Start();
    }

    public IReadOnlyList<string> Names { get; }

    public string Database { get; }

    public ClusterMonitor Monitor { get; }

    public WritingStatements WritingStatements { get; } = new();

    public ILogger Logger { get; }

    /// <summary>The monotonic time since which everything committed must be there, for a bound; <see langword="null"/>: no bound.</summary>
    public long? CompleteSince(TimeSpan? maxStaleness) =>
        maxStaleness is { } bound ? _time.GetTimestamp() - (long)(bound.TotalSeconds * _time.TimestampFrequency) : null;

    /// <param name="requirement">What the node must be or contain.</param>
    /// <param name="failed">A bit for each node that failed during this very read.</param>
    /// <param name="preferred">The node to stay on when it can serve; -1: none.</param>
    /// <param name="affinity">The hash of the session's affinity key; <see langword="null"/>: it has none.</param>
    public RouteDecision Decide(in ReadRequirement requirement, ulong failed = 0, int preferred = -1, ulong? affinity = null)
    {
        ThrowIfDisposed();
        return _router.Decide(Monitor.Snapshot, requirement, _readsInFlight, failed, preferred, affinity);
    }

    /// <exception cref="ObjectDisposedException">The data source was disposed of.</exception>
    public void ThrowIfDisposed()
    {
        if (_isDisposed)
            throw new ObjectDisposedException(
                "TidemarkDataSource", "The TidemarkDataSource was disposed of and is still used. Dispose of it last: one registered "
                    + "with AddTidemark is, with the application.");
    }

    /// <summary>
    /// The unopened connection of a read. Counted as a read in flight while it is open, and as seen by the session when it closes.
    /// </summary>
    public NpgsqlConnection CreateRead(in RouteDecision decision, ConsistencySession? session, out ReadLease lease)
    {
        var connection = _pools[decision.NodeIndex].Reads.CreateConnection();
        lease = LeaseRead(decision, session);
        lease.Follow(connection);
        return connection;
    }

    /// <summary>The lease of a read's connection; it does not follow one yet.</summary>
    public ReadLease LeaseRead(in RouteDecision decision, ConsistencySession? session) =>
        new(_readsInFlight, decision.State, session, _epochs);

    /// <summary>
    /// Reports what a session has lost before a connection for writing is used; <see langword="null"/>: nothing is reported.
    /// </summary>
    public Action<ConsistencySession?>? Validate { get; set; }

    /// <summary>
    /// Asks the node once more, for callers that cannot await: blocks until it has answered or the probe's time-out is over.
    /// </summary>
    public void Sample(int nodeIndex)
    {
        ThrowIfDisposed();
        Monitor.Sample(nodeIndex);
    }

    /// <summary>An unopened connection to the node for writing; counted as a write of the session while it is open.</summary>
    public NpgsqlConnection CreateWrite(int nodeIndex, ConsistencySession? session)
    {
        var connection = _pools[nodeIndex].Writes.CreateConnection();
        LeaseWrite(nodeIndex, session).Follow(connection);
        return connection;
    }

    /// <inheritdoc cref="CreateWrite(int, ConsistencySession?)"/>
    /// <param name="nodeIndex">The node.</param>
    /// <param name="findSession">Finds the session at each opening.</param>
    public NpgsqlConnection CreateWrite(int nodeIndex, Func<ConsistencySession?> findSession)
    {
        var connection = _pools[nodeIndex].Writes.CreateConnection();
        new WriteLease(this, Monitor.Snapshot.Nodes[nodeIndex], session: null) { FindSession = findSession }.Follow(connection);
        return connection;
    }

    /// <summary>The lease of a connection for writing; it does not follow one yet.</summary>
    public WriteLease LeaseWrite(int nodeIndex, ConsistencySession? session) => new(this, Monitor.Snapshot.Nodes[nodeIndex], session);

    /// <summary>The connection of one attempt.</summary>
    /// <param name="decision">Where to.</param>
    /// <param name="forWriting">The statement turned out to write.</param>
    /// <param name="session">The session that the statement belongs to.</param>
    /// <param name="lease">Takes note when the answer reaches the caller; none for writing, where everything counts.</param>
    public NpgsqlConnection Create(in RouteDecision decision, bool forWriting, ConsistencySession? session, out ReadLease? lease)
    {
        lease = null;
        return forWriting ? CreateWrite(decision.NodeIndex, session) : CreateRead(decision, session, out lease);
    }

    /// <summary>Reads that are under way, over all nodes.</summary>
    public int ReadsInFlight => _readsInFlight.Sum();

    /// <summary>The connection string of a node's writes, without its password.</summary>
    public string ConnectionString(int nodeIndex) => _pools[nodeIndex].Writes.ConnectionString;

    /// <summary>The pool of a node's connections for writing.</summary>
    public NpgsqlDataSource WritesOf(int nodeIndex) => _pools[nodeIndex].Writes;

    /// <summary>Drops idle connections to every node: the database behind them was dropped.</summary>
    public void Clear()
    {
        foreach (var pools in _pools) pools.Clear();
    }

    /// <summary>What an open connection must show before its rows are believed.</summary>
    /// <param name="lease">Follows the connection.</param>
    /// <param name="decision">Why it was opened.</param>
    public ConnectionCheck CheckOf(ReadLease lease, in RouteDecision decision)
    {
        var connection = lease.Connection!;
        var node = decision.State;
        var shown = node.IsPooled ? default : _epochs.EpochOf(connection);
        if (!decision.IsReplica)
        {
            // A standby that was copied from the primary's template has the reset of its statistics: only the very same epoch tells that it
            // is the primary's.
            if (!shown.IsUnknown && shown == node.Epoch) return ConnectionCheck.None;
            return IsAlone && (node.IsPooled || _epochs.IsVerified(connection, node, Monitor.ProbesSent))
                ? ConnectionCheck.None : ConnectionCheck.Unverified;
        }

        var isProven = !shown.IsUnknown && shown == node.Epoch;
        if (decision.Stays && (!isProven || decision.StayEpoch is null)
            && (node.IsPooled || !ReferenceEquals(decision.StayConnection, connection)))
            return decision.StayEpoch is null ? ConnectionCheck.TooYoung : ConnectionCheck.Epoch;
        if (decision.MustShow is { } position && (!isProven || node.Lsn < position.Lsn)) return ConnectionCheck.Position;

        // Behind a pooler every check has to be repeated, and brings the read-only transaction that makes the read safe to send again.
        if (shown.IsUnknown) return ConnectionCheck.Learn;

        // Where several servers answer to the name, the probes tell nothing of whether this one has followed a promotion.
        return shown != node.Epoch && _epochs.TimelineOf(connection) < decision.Snapshot.LatestTimeline
            ? ConnectionCheck.Learn : ConnectionCheck.None;
    }

    /// <summary>There is one node, whose reads and writes share a pool.</summary>
    public bool IsAlone => _pools.Length == 1;

    /// <summary>Monotonic time.</summary>
    public long Now => _time.GetTimestamp();

    /// <summary>Notes what a connection has shown: its epoch, and what the snapshot of its node should know.</summary>
    /// <param name="proof">What was asked for.</param>
    /// <param name="connection">The identity of the physical connection.</param>
    /// <param name="answer">What was shown.</param>
    /// <param name="sentAt">Monotonic time before the question was sent.</param>
    public void Note(ReadProof proof, object connection, in CheckAnswer answer, long sentAt)
    {
        if (!proof.Node.IsPooled) _epochs.Learn(connection, answer.Epoch, Math.Max(answer.Timeline, answer.LeastTimeline));

        // A primary's check brings no position.
        Monitor.Note(proof.Node.Index, new SampledPosition(
            answer.Epoch, answer.SystemIdentifier, answer.IsInRecovery, answer.Timeline, answer.IsInRecovery ? answer.Replayed
                ?? default : default, default, sentAt));
    }

    /// <summary>The epoch that a physical connection has shown, in which the node is; unknown: it has shown none, or another.</summary>
    public ServerEpoch EpochOf(object connection, NodeState node) =>
        _epochs.EpochOf(connection) is var shown && shown == node.Epoch ? shown : default;

    /// <summary>
    /// Lets the server itself wait for the position, from PostgreSQL 19 on. False: it was not reached in time, or the wait failed.
    /// </summary>
    public async ValueTask<bool> WaitOnServerAsync(int nodeIndex, WalPosition position, TimeSpan timeout,
        CancellationToken cancellationToken)
    {
        try
        {
            var connection = await _pools[nodeIndex].Reads.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            await using (connection.ConfigureAwait(false))
            {
                using var command = new NpgsqlCommand(WaitForLsn.Text(position, timeout), connection);
                return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is WaitForLsn.Reached;
            }
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }

    /// <summary>
    /// Which of these server processes are gone. None, when the node does not say in time. Needs no connection of the pools.
    /// </summary>
    public async ValueTask<int[]> FindGoneAsync(int nodeIndex, int[] backends, IoMode io, CancellationToken cancellationToken)
    {
        if (_askBackends is not null) return await AskStandInAsync(_askBackends, nodeIndex, backends).ConfigureAwait(false);
        return (await FindEndedAsync(nodeIndex, new Unsettled(backends, []), io, cancellationToken).ConfigureAwait(false)).Backends;
    }

    /// <summary>
    /// Which of these transactions have ended, by commit or by rollback. Returns none if the node does not answer in time.
    /// </summary>
    public async ValueTask<string[]> FindEndedAsync(int nodeIndex, string[] transactions, IoMode io, CancellationToken cancellationToken)
    {
        if (_askTransactions is not null) return await AskStandInAsync(_askTransactions, nodeIndex, transactions).ConfigureAwait(false);
        return (await FindEndedAsync(nodeIndex, new Unsettled([], transactions), io, cancellationToken).ConfigureAwait(false))
            .Transactions;
    }

    private async ValueTask<Unsettled> FindEndedAsync(int nodeIndex, Unsettled asked, IoMode io, CancellationToken cancellationToken) =>
        io == IoMode.Async ? await Monitor.FindEndedAsync(nodeIndex, asked, cancellationToken).ConfigureAwait(false)
            : Monitor.FindEnded(nodeIndex, asked);

    private async Task<T[]> AskStandInAsync<T>(Func<int, T[], Task<T[]>> ask, int nodeIndex, T[] questions)
    {
        try
        {
            return await ask(nodeIndex, questions).ConfigureAwait(false);
        }
        catch (NpgsqlException)
        {
            Monitor.Suspect(nodeIndex);
            return [];
        }
    }

    public async ValueTask DisposeAsync()
    {
        _isDisposed = true;
        await Monitor.DisposeAsync().ConfigureAwait(false);
        await Task.WhenAll(_pools.Select(pools => pools.DisposeAsync().AsTask())).ConfigureAwait(false);
    }

    /// <summary>Closes the pools at once; the monitor's own connections close as its threads end, for which nothing waits.</summary>
    public void Dispose()
    {
        _isDisposed = true;
        Monitor.Stop();
        foreach (var pools in _pools) pools.Dispose();
    }

    // The server has lived anew since: idle connections are dead, and nobody who is handed one could repeat what failed on it.
    private void ClearAfterRestart(int index, ProbeAnswer answer)
    {
        if (answer.Failure is null && Monitor.Snapshot.Nodes[index].Epoch is { IsUnknown: false } known && known != answer.Epoch)
            _pools[index].Clear();
    }
}
