using System.Data;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace Tidemark;

/// <summary>
/// Decides and opens: the one place where routing meets the pools of the nodes. Owns the pools, the monitor and the count of reads in flight.
/// </summary>
internal sealed class ClusterConnections : IAsyncDisposable, IDisposable
{
    // A lone node leaves nothing to choose; it is asked only so that Explain and errors can tell its role.
    private static readonly TimeSpan LoneNodeInterval = TimeSpan.FromSeconds(1);

    private readonly NodePools[] _pools;
    private readonly int[] _readsInFlight;
    private readonly Router _router;
    private readonly ConnectionLives _lives = new();

    public ClusterConnections(TidemarkDataSourceBuilder builder, ILogger logger)
    {
        var options = builder.Options;
        var nodes = options.Nodes.ToArray();
        var isAlone = nodes.Length == 1;
        Logger = logger;
        Names = [.. nodes.Select(n => n.Key)];
        _pools = [.. nodes.Select(n => new NodePools(n.Key, n.Value, builder, isAlone))];
        _readsInFlight = new int[nodes.Length];
        using (var connection = _pools[0].Writes.CreateConnection()) Database = connection.Database;

        var rules = new RoutingRules(
            [.. nodes.Select(n => n.Value.Weight)],
            [.. nodes.Select(n => options.Zone is not null && string.Equals(n.Value.Zone, options.Zone, StringComparison.OrdinalIgnoreCase))],
            options.PrimaryReadWeight);
        _router = new Router(rules, Balancer.For(options.Balancing, new Chance(builder.Seed ?? builder.TimeProvider.GetTimestamp())));

        var interval = isAlone && options.ProbeInterval < LoneNodeInterval ? LoneNodeInterval : options.ProbeInterval;
        Monitor = new ClusterMonitor(Names, builder.AskNodes ?? AskAsync, interval, options.ProbeTimeout, builder.TimeProvider, logger);
        Monitor.Start();
    }

    public IReadOnlyList<string> Names { get; }

    public string Database { get; }

    public ClusterMonitor Monitor { get; }

    public ILogger Logger { get; }

    /// <param name="requirement">What the node must be or contain.</param>
    /// <param name="failed">A bit for each node that failed during this very read.</param>
    /// <param name="preferred">The node to stay on when it can serve; -1: none.</param>
    public RouteDecision Decide(in ReadRequirement requirement, ulong failed = 0, int preferred = -1) =>
        _router.Decide(Monitor.Snapshot, requirement, _readsInFlight, failed, preferred);

    /// <summary>The unopened connection of a read. Counted as a read in flight while it is open.</summary>
    public NpgsqlConnection CreateRead(in RouteDecision decision)
    {
        var connection = _pools[decision.NodeIndex].Reads.CreateConnection();
        connection.StateChange += new ReadLease(this, decision.NodeIndex).OnStateChange;
        return connection;
    }

    /// <summary>An unopened connection to the node for writing; counted as a write of the session while it is open.</summary>
    public NpgsqlConnection CreateWrite(int nodeIndex, ConsistencySession? session)
    {
        var connection = _pools[nodeIndex].Writes.CreateConnection();
        WriteLease.Follow(connection, this, Monitor.Snapshot.Nodes[nodeIndex], session);
        return connection;
    }

    /// <summary>The connection of one attempt.</summary>
    public NpgsqlConnection Create(in RouteDecision decision, bool forWriting, ConsistencySession? session) =>
        forWriting ? CreateWrite(decision.NodeIndex, session) : CreateRead(decision);

    /// <summary>The connection string of a node's writes, without its password.</summary>
    public string ConnectionString(int nodeIndex) => _pools[nodeIndex].Writes.ConnectionString;

    /// <summary>Drops idle connections to every node: the database behind them was dropped.</summary>
    public void Clear()
    {
        foreach (var pools in _pools) pools.Clear();
    }

    /// <summary>Whether the connection must show that it has what the decision promised before its rows are believed.</summary>
    public bool NeedsCheck(NpgsqlConnection connection, in RouteDecision decision) =>
        decision is { IsReplica: true, MustInclude: not null }
        && (decision.Reason == RouteReason.ReplicaToVerify
            || decision.State.Position < decision.MustInclude.Value.Position
            || !_lives.IsProven(connection, decision.State, Monitor.ProbesSent));

    /// <summary>
    /// The primary's place now, for callers that cannot await the monitor's sample. Null: there is no primary, or it does not answer; what was
    /// pending stays so, and reads keep to the primary.
    /// </summary>
    public Place? SamplePrimary()
    {
        if (Monitor.Snapshot.Primary is not { } primary) return null;
        try
        {
            using var connection = _pools[primary.Index].Reads.OpenConnection();
            using var command = new NpgsqlCommand(NodeProbe.PlaceQuestion, connection);
            using var reader = command.ExecuteReader();
            return reader.Read() ? new Place((uint)reader.GetInt32(0), reader.GetFieldValue<NpgsqlLogSequenceNumber>(1)) : null;
        }
        catch (NpgsqlException)
        {
            Monitor.Suspect(primary.Index);
            return null;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Monitor.DisposeAsync().ConfigureAwait(false);
        foreach (var pools in _pools) await pools.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>Closes the pools at once; the monitor's own connections close as its loop ends, for which nothing waits.</summary>
    public void Dispose()
    {
        foreach (var pools in _pools) pools.Dispose();
        _ = DisposeAsync().AsTask();
    }

    private async Task<ProbeAnswer> AskAsync(int index, CancellationToken cancellationToken)
    {
        var answer = await _pools[index].Probe.AskAsync(cancellationToken).ConfigureAwait(false);

        // The server has lived anew since: idle connections are dead, and nobody who is handed one could repeat what failed on it.
        if (answer.Failure is null && Monitor.Snapshot.Nodes[index].Epoch is var known && known != 0 && known != answer.Epoch) _pools[index].Clear();
        return answer;
    }

    /// <summary>Counts a read while its connection is open.</summary>
    private sealed class ReadLease(ClusterConnections owner, int node)
    {
        private int _isCounted;

        public void OnStateChange(object sender, StateChangeEventArgs change)
        {
            var isOpen = change.CurrentState == ConnectionState.Open;
            if (isOpen == (Interlocked.Exchange(ref _isCounted, isOpen ? 1 : 0) == 1)) return;
            Interlocked.Add(ref owner._readsInFlight[node], isOpen ? 1 : -1);
        }
    }
}
