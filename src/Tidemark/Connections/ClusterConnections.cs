using Microsoft.Extensions.Logging;
using Npgsql;

namespace Tidemark;

/// <summary>
/// Connects routing with the pools of the nodes: decides and opens connections. Owns the pools, the monitor and the count of reads in
/// flight.
/// </summary>
internal sealed class ClusterConnections : IAsyncDisposable, IDisposable
{
    // A single node leaves nothing to choose. It is probed only so that Explain and errors can report its role.
    private static readonly TimeSpan LoneNodeInterval = TimeSpan.FromSeconds(1);

    private readonly NodePools[] _pools;
    private readonly int[] _readsInFlight;
    private readonly Router _router;
    private readonly ConnectionEpochs _epochs = new();
    private readonly TimeProvider _time;
    private readonly Func<int, int[], Task<int[]>>? _queryBackends;
    private readonly Func<int, string[], Task<string[]>>? _queryTransactions;
    private volatile bool _isDisposed;

    public ClusterConnections(ClusterSettings settings)
    {
        var options = settings.Options;
        var nodes = options.Nodes.ToArray();
        var isAlone = nodes.Length == 1;
        var logger = Logger = settings.Logger;
        _time = settings.TimeProvider;
        _queryBackends = settings.QueryBackends;
        _queryTransactions = settings.QueryTransactions;
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
        Monitor = settings.ProbeNodes is { } probe
            ? new ClusterMonitor(
                Names, probe, interval, options.ProbeTimeout, settings.TimeProvider, logger, settings.Resumption, identifier)
            : new ClusterMonitor(
                Names, [.. _pools.Select(p => p.Probe)], interval, options.ProbeTimeout, _pools.Max(p => p.Probe.LongestConnect),
                settings.TimeProvider, logger, identifier);
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

    /// <summary>
    /// Returns the monotonic time of a staleness bound: a read must include everything that was committed before it. Returns
    /// <see langword="null"/> without a bound.
    /// </summary>
    public long? CompleteSince(TimeSpan? maxStaleness) =>
        maxStaleness is { } bound ? _time.GetTimestamp() - (long)(bound.TotalSeconds * _time.TimestampFrequency) : null;

    /// <summary>Decides which node serves a read.</summary>
    /// <param name="requirement">What the node must be or include.</param>
    /// <param name="failed">A bit for each node that failed during this read.</param>
    /// <param name="preferred">The node to stay on if it can serve, or -1 if none exists.</param>
    /// <param name="affinity">The hash of the session's affinity key, or <see langword="null"/> if it has none.</param>
    public RouteDecision Decide(in ReadRequirement requirement, ulong failed = 0, int preferred = -1, ulong? affinity = null)
    {
        ThrowIfDisposed();
        return _router.Decide(Monitor.Snapshot, requirement, _readsInFlight, failed, preferred, affinity);
    }

    /// <exception cref="ObjectDisposedException">The data source is disposed.</exception>
    public void ThrowIfDisposed()
    {
        if (_isDisposed)
            throw new ObjectDisposedException(
                "TidemarkDataSource", "The TidemarkDataSource is disposed, but still in use. Dispose it last. If it is registered with "
                    + "AddTidemark, it is disposed together with the application.");
    }

    /// <summary>
    /// Creates an unopened connection for a read. While it is open, it counts as a read in flight. What it returned is an observation of
    /// the session.
    /// </summary>
    public NpgsqlConnection CreateRead(in RouteDecision decision, ConsistencySession? session, out ReadLease lease)
    {
        var connection = _pools[decision.NodeIndex].Reads.CreateConnection();
        lease = LeaseRead(decision, session);
        lease.Follow(connection);
        return connection;
    }

    /// <summary>Creates the lease of a read's connection. It does not follow a connection yet.</summary>
    public ReadLease LeaseRead(in RouteDecision decision, ConsistencySession? session) =>
        new(_readsInFlight, decision.State, session, _epochs);

    /// <summary>
    /// Reports a session's lost writes before a connection for writing is used. If <see langword="null"/>, nothing is reported.
    /// </summary>
    public Action<ConsistencySession?>? Validate { get; set; }

    /// <summary>Probes the node once more, for callers that cannot await. Blocks until it responds or the probe timeout elapses.</summary>
    public void Sample(int nodeIndex)
    {
        ThrowIfDisposed();
        Monitor.Sample(nodeIndex);
    }

    /// <summary>Creates an unopened connection to the node for writing. While it is open, it counts as a write of the session.</summary>
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

    /// <summary>Creates the lease of a connection for writing. It does not follow a connection yet.</summary>
    public WriteLease LeaseWrite(int nodeIndex, ConsistencySession? session) => new(this, Monitor.Snapshot.Nodes[nodeIndex], session);

    /// <summary>Creates the connection of one attempt.</summary>
    /// <param name="decision">The decision, which selects the node.</param>
    /// <param name="forWriting">Whether the statement turned out to write.</param>
    /// <param name="session">The session of the statement.</param>
    /// <param name="lease">
    /// The lease that records what the caller receives, or <see langword="null"/> for writing, where everything counts.
    /// </param>
    public NpgsqlConnection Create(in RouteDecision decision, bool forWriting, ConsistencySession? session, out ReadLease? lease)
    {
        lease = null;
        return forWriting ? CreateWrite(decision.NodeIndex, session) : CreateRead(decision, session, out lease);
    }

    /// <summary>Number of reads in flight on all nodes.</summary>
    public int ReadsInFlight => _readsInFlight.Sum();

    /// <summary>Returns the connection string for writing to a node, without its password.</summary>
    public string ConnectionString(int nodeIndex) => _pools[nodeIndex].Writes.ConnectionString;

    /// <summary>Returns the pool of a node's connections for writing.</summary>
    public NpgsqlDataSource WritesOf(int nodeIndex) => _pools[nodeIndex].Writes;

    /// <summary>Drops idle connections to every node, after the database was dropped.</summary>
    public void Clear()
    {
        foreach (var pools in _pools) pools.Clear();
    }

    /// <summary>Returns what an open connection must prove before its rows are used.</summary>
    /// <param name="lease">The lease of the connection.</param>
    /// <param name="decision">The decision that the connection was opened for.</param>
    public ConnectionCheck CheckOf(ReadLease lease, in RouteDecision decision)
    {
        var connection = lease.Connection!;
        var node = decision.State;
        var shown = node.IsPooled ? default : _epochs.EpochOf(connection);
        if (!decision.IsReplica)
        {
            // A standby that was copied from the primary's template has the statistics reset time of the primary, so only an identical
            // epoch proves that this is the primary.
            if (!shown.IsUnknown && shown == node.Epoch) return ConnectionCheck.None;
            return IsAlone && (node.IsPooled || _epochs.IsVerified(connection, node, Monitor.ProbesSent))
                ? ConnectionCheck.None : ConnectionCheck.Unverified;
        }

        var isProven = !shown.IsUnknown && shown == node.Epoch;
        if (decision.Stays && (!isProven || decision.StayEpoch is null)
            && (node.IsPooled || !ReferenceEquals(decision.StayConnection, connection)))
            return decision.StayEpoch is null ? ConnectionCheck.TooYoung : ConnectionCheck.Epoch;
        if (decision.MustShow is { } position && (!isProven || node.Lsn < position.Lsn)) return ConnectionCheck.Position;

        // Behind a pooler every check is required again. It also brings the read-only transaction that makes the read safe to retry.
        if (shown.IsUnknown) return ConnectionCheck.Identify;

        // If several servers share the address, the probes do not prove that this one has followed a promotion.
        return shown != node.Epoch && _epochs.TimelineOf(connection) < decision.Snapshot.LatestTimeline
            ? ConnectionCheck.Identify : ConnectionCheck.None;
    }

    /// <summary>Whether there is a single node, whose reads and writes share a pool.</summary>
    public bool IsAlone => _pools.Length == 1;

    /// <summary>The monotonic time.</summary>
    public long Now => _time.GetTimestamp();

    /// <summary>Records what a connection has shown: its epoch, and the state of its node for the snapshot.</summary>
    /// <param name="proof">What was queried.</param>
    /// <param name="connection">The identity of the physical connection.</param>
    /// <param name="answer">The response of the server.</param>
    /// <param name="sentAt">Monotonic time before the query was sent.</param>
    public void Note(ReadProof proof, object connection, in CheckAnswer answer, long sentAt)
    {
        if (!proof.Node.IsPooled) _epochs.Record(connection, answer.Epoch, Math.Max(answer.Timeline, answer.LeastTimeline));

        // The check of a primary returns no position.
        Monitor.Note(proof.Node.Index, new SampledPosition(
            answer.Epoch, answer.SystemIdentifier, answer.IsInRecovery, answer.Timeline, answer.IsInRecovery ? answer.Replayed
                ?? default : default, default, sentAt));
    }

    /// <summary>
    /// Returns the epoch that a physical connection has shown, if it is the current epoch of the node; otherwise an unknown epoch.
    /// </summary>
    public ServerEpoch EpochOf(object connection, NodeState node) =>
        _epochs.EpochOf(connection) is var shown && shown == node.Epoch ? shown : default;

    /// <summary>
    /// Lets the server itself wait for the position (PostgreSQL 19 and later). Returns <see langword="false"/> if the position was not
    /// reached in time or the wait failed.
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
    /// Returns which of these server processes are gone, or none if the node does not respond in time. Uses no connection of the pools.
    /// </summary>
    public async ValueTask<int[]> FindGoneAsync(int nodeIndex, int[] backends, IoMode io, CancellationToken cancellationToken)
    {
        if (_queryBackends is not null) return await QueryReplacementAsync(_queryBackends, nodeIndex, backends).ConfigureAwait(false);
        return (await FindEndedAsync(nodeIndex, new Unsettled(backends, []), io, cancellationToken).ConfigureAwait(false)).Backends;
    }

    /// <summary>
    /// Returns which of these transactions have ended, by commit or by rollback, or none if the node does not respond in time.
    /// </summary>
    public async ValueTask<string[]> FindEndedAsync(int nodeIndex, string[] transactions, IoMode io, CancellationToken cancellationToken)
    {
        if (_queryTransactions is not null)
            return await QueryReplacementAsync(_queryTransactions, nodeIndex, transactions).ConfigureAwait(false);
        return (await FindEndedAsync(nodeIndex, new Unsettled([], transactions), io, cancellationToken).ConfigureAwait(false))
            .Transactions;
    }

    private async ValueTask<Unsettled> FindEndedAsync(int nodeIndex, Unsettled unsettled, IoMode io,
        CancellationToken cancellationToken) =>
        io == IoMode.Async ? await Monitor.FindEndedAsync(nodeIndex, unsettled, cancellationToken).ConfigureAwait(false)
            : Monitor.FindEnded(nodeIndex, unsettled);

    private async Task<T[]> QueryReplacementAsync<T>(Func<int, T[], Task<T[]>> query, int nodeIndex, T[] values)
    {
        try
        {
            return await query(nodeIndex, values).ConfigureAwait(false);
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

    /// <summary>Closes the pools at once. Does not wait for the monitor's connections, which are closed when its threads end.</summary>
    public void Dispose()
    {
        _isDisposed = true;
        Monitor.Stop();
        foreach (var pools in _pools) pools.Dispose();
    }

    // The server has restarted, so its idle connections are dead. A caller that received one could not retry what failed on it.
    private void ClearAfterRestart(int index, ProbeAnswer answer)
    {
        if (answer.Failure is null && Monitor.Snapshot.Nodes[index].Epoch is { IsUnknown: false } recorded && recorded != answer.Epoch)
            _pools[index].Clear();
    }
}
