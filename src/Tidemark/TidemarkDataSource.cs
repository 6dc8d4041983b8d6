using System.Data.Common;
using Npgsql;

namespace Tidemark;

/// <summary>
/// The front door to a cluster of one primary and any number of replicas. As a plain <see cref="DbDataSource"/> it is the primary; what is
/// opened or created for reading goes to a replica that has everything the current session wrote. Safe for concurrent use; one for each cluster.
/// </summary>
public sealed class TidemarkDataSource : DbDataSource
{
    private readonly Consistency _defaultConsistency;
    private readonly AsyncLocal<Ambient?> _ambient = new();

    internal TidemarkDataSource(Consistency defaultConsistency, ClusterConnections cluster)
    {
        _defaultConsistency = defaultConsistency;
        Cluster = cluster;
    }

    /// <summary>The connection string of the primary as it is known at this moment, or of the first node, without its password.</summary>
    public override string ConnectionString => Cluster.ConnectionString(PrimaryOrFirst);

    /// <summary>What is known of each node right now, in the order of the configuration. No I/O.</summary>
    public IReadOnlyList<NodeStatus> Nodes
    {
        get
        {
            var snapshot = Cluster.Monitor.Snapshot;
            return [.. snapshot.Nodes.Select(n => StatusOf(n, snapshot))];
        }
    }

    /// <summary>The session that surrounds the caller; <see langword="null"/> outside any.</summary>
    public ConsistencySession? CurrentSession => _ambient.Value?.Session;

    internal ClusterConnections Cluster { get; }

    /// <summary>The database that every node is connected to.</summary>
    internal string Database => Cluster.Database;

    /// <summary>A data source on one connection string; several hosts in it are several nodes.</summary>
    /// <exception cref="FormatException">The text is no connection string.</exception>
    /// <exception cref="Microsoft.Extensions.Options.OptionsValidationException">It sets what a node must not; names all of it.</exception>
    public static TidemarkDataSource Create(string connectionString)
    {
        var builder = new TidemarkDataSourceBuilder();
        builder.Options.AddNodes(connectionString);
        return builder.Build();
    }

    /// <summary>Begins a session that surrounds what the caller does until it is disposed of: reads include the writes before them.</summary>
    /// <remarks>It flows with <see langword="await"/>, like any <see cref="AsyncLocal{T}"/>. A session within a session stands alone.</remarks>
    public ConsistencySession BeginSession()
    {
        var outer = _ambient.Value;
        var session = new ConsistencySession(() => _ambient.Value = outer);
        _ambient.Value = (outer ?? new Ambient()) with { Session = session };
        return session;
    }

    /// <summary>Sets what reads ask for until the returned scope is disposed of; the innermost scope counts.</summary>
    public IDisposable Require(Consistency consistency) => Enter((_ambient.Value ?? new Ambient()) with { Consistency = consistency });

    /// <summary>Sends reads to one node until the returned scope is disposed of. They never move elsewhere.</summary>
    /// <exception cref="ArgumentException">There is no node of that name.</exception>
    public IDisposable RequireNode(string node)
    {
        ThrowIfUnknown(node);
        return Enter((_ambient.Value ?? new Ambient()) with { OnNode = node });
    }

    /// <summary>Where a read would go at this moment, and why not elsewhere. No I/O, so what it says of the next read is likely, not certain.</summary>
    /// <param name="consistency">What the read asks for; the surrounding scope's or the default level when left out.</param>
    public RouteDecision Explain(Consistency? consistency = null) =>
        Cluster.Decide(new ReadAttempts(Cluster, CurrentSession, Effective(consistency), _ambient.Value?.OnNode).Requirement);

    /// <summary>Opens a connection for reading, on a node that has what the session wrote. What is done on it afterwards is the caller's: it is not moved.</summary>
    /// <param name="consistency">What the reads ask for; the surrounding scope's or the default level when left out.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="RoutingException">No node can serve; says why for each.</exception>
    public ValueTask<NpgsqlConnection> OpenReadConnectionAsync(Consistency? consistency = null, CancellationToken cancellationToken = default) =>
        OpenReadAsync(consistency, cancellationToken);

    /// <inheritdoc cref="OpenReadConnectionAsync"/>
    public NpgsqlConnection OpenReadConnection(Consistency? consistency = null)
    {
        var attempts = BeginRead(consistency, out var session);
        while (true)
        {
            var decision = attempts.Next();
            using var activity = RouteActivity.Start(decision);
            var connection = Cluster.CreateRead(decision);
            try
            {
                connection.Open();
                if (!Cluster.NeedsCheck(connection, decision) || ReadCheck.Passes(connection, decision.MustInclude!.Value)) return connection;
                connection.Dispose();
                RouteActivity.Behind(activity);
                attempts.Exclude();
            }
            catch (Exception failure)
            {
                RouteActivity.Fail(activity, failure);
                connection.Dispose();
                // Opening and checking are not the caller's commands, whatever takes too long in them.
                if (!attempts.Absorb(failure, isOpen: false)) throw;
            }
        }
    }

    /// <summary>Opens a connection to the primary. From then until it is closed it counts as a write of the session.</summary>
    /// <exception cref="RoutingException">There is no primary; says what was seen of each node. Never waits for one.</exception>
    public async ValueTask<NpgsqlConnection> OpenWriteConnectionAsync(CancellationToken cancellationToken = default)
    {
        await Cluster.Monitor.FirstRoundAsync(cancellationToken).ConfigureAwait(false);
        var decision = DecideWrite();
        using var activity = RouteActivity.Start(decision);
        var connection = Cluster.CreateWrite(decision.NodeIndex, CurrentSession);
        try
        {
            await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
            return connection;
        }
        catch (Exception failure)
        {
            RouteActivity.Fail(activity, failure);
            await connection.DisposeAsync().ConfigureAwait(false);
            if (NoPrimary(decision.NodeIndex, failure) is { } explained) throw explained;
            throw;
        }
    }

    /// <inheritdoc cref="OpenWriteConnectionAsync"/>
    public NpgsqlConnection OpenWriteConnection()
    {
        Cluster.Monitor.FirstRound();
        var decision = DecideWrite();
        using var activity = RouteActivity.Start(decision);
        var connection = Cluster.CreateWrite(decision.NodeIndex, CurrentSession);
        try
        {
            connection.Open();
            return connection;
        }
        catch (Exception failure)
        {
            RouteActivity.Fail(activity, failure);
            connection.Dispose();
            if (NoPrimary(decision.NodeIndex, failure) is { } explained) throw explained;
            throw;
        }
    }

    /// <summary>
    /// A command that is routed as a read each time it runs, verified in the same round trip where needed, and repeated on another node when its
    /// node fails before the first row. A statement that turns out to write is run on the primary instead.
    /// </summary>
    /// <param name="commandText">The SQL.</param>
    /// <param name="consistency">What the read asks for; the surrounding scope's or the default level when left out.</param>
    public DbCommand CreateReadCommand(string? commandText = null, Consistency? consistency = null) =>
        new TidemarkCommand(this, consistency, isWrite: false) { CommandText = commandText };

    /// <summary>What a read asks for: its own word, else that of the innermost scope, else the default.</summary>
    internal Consistency Effective(Consistency? consistency) => consistency ?? _ambient.Value?.Consistency ?? _defaultConsistency;

    /// <summary>Creating a connection must not fail for want of a primary; opening it then does.</summary>
    private int PrimaryOrFirst => Math.Max(Cluster.Monitor.Snapshot.PrimaryIndex, 0);

    internal string? CurrentNode => _ambient.Value?.OnNode;

    /// <summary>Makes sure a read can be decided: every node was asked once, and what the session wrote is known where that can be learned.</summary>
    internal async ValueTask<(ReadAttempts Attempts, ConsistencySession? Session)> BeginReadAsync(
        Consistency? consistency, CancellationToken cancellationToken)
    {
        var session = CurrentSession;
        var level = Effective(consistency);
        await PrepareAsync(session, level, cancellationToken).ConfigureAwait(false);
        return (new ReadAttempts(Cluster, session, level, CurrentNode), session);
    }

    internal ReadAttempts BeginRead(Consistency? consistency, out ConsistencySession? session)
    {
        session = CurrentSession;
        var level = Effective(consistency);
        Prepare(session, level);
        return new ReadAttempts(Cluster, session, level, CurrentNode);
    }

    /// <summary>Waits for the first probes if need be, and asks the primary how far the session's pending writes reach.</summary>
    internal async ValueTask PrepareAsync(ConsistencySession? session, Consistency level, CancellationToken cancellationToken)
    {
        await Cluster.Monitor.FirstRoundAsync(cancellationToken).ConfigureAwait(false);
        if (level.Level != ConsistencyLevel.ReadYourWrites || session?.PendingMark is not { } mark) return;
        if (Cluster.Monitor.Snapshot.Primary is not { } primary) return;

        var sampled = await Cluster.Monitor.SampleAsync(primary.Index, cancellationToken).ConfigureAwait(false);
        if (sampled.Standing == NodeStanding.Primary) session.Resolve(mark, new Place(sampled.Timeline, sampled.Position));
    }

    /// <inheritdoc cref="PrepareAsync"/>
    internal void Prepare(ConsistencySession? session, Consistency level)
    {
        Cluster.Monitor.FirstRound();
        if (level.Level != ConsistencyLevel.ReadYourWrites || session?.PendingMark is not { } mark) return;
        if (Cluster.SamplePrimary() is { } sampled) session.Resolve(mark, sampled);
    }

    internal RouteDecision DecideWrite(RouteReason because = RouteReason.Write)
    {
        var decision = Cluster.Decide(ReadRequirement.Primary(because));
        return decision.NodeIndex >= 0 ? decision : throw RoutingException.NoNode(decision, last: null);
    }

    /// <summary>A connection that could not be opened, told as what it means: there is no primary. Null: it means something else.</summary>
    internal RoutingException? NoPrimary(int nodeIndex, Exception failure)
    {
        var kind = ReadFailures.Classify(failure, onReplica: false, isOpen: false);
        if (kind is ReadFailure.NodeLost or ReadFailure.TryAnotherNode) Cluster.Monitor.Suspect(nodeIndex);
        if (kind != ReadFailure.NodeLost) return null;
        return RoutingException.NoNode(Cluster.Decide(ReadRequirement.Primary(RouteReason.Write), 1UL << nodeIndex), failure);
    }

    internal void ThrowIfUnknown(string node)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(node);
        if (!Cluster.Names.Contains(node, StringComparer.OrdinalIgnoreCase))
            throw new ArgumentException($"There is no node named '{node}'. The nodes are {string.Join(", ", Cluster.Names)}.", nameof(node));
    }

    /// <summary>A connection to the primary as it is known at this moment; checked again when it is opened.</summary>
    protected override DbConnection CreateDbConnection() => Cluster.CreateWrite(PrimaryOrFirst, CurrentSession);

    /// <inheritdoc/>
    protected override DbConnection OpenDbConnection() => OpenWriteConnection();

    /// <inheritdoc/>
    protected override async ValueTask<DbConnection> OpenDbConnectionAsync(CancellationToken cancellationToken = default) =>
        await OpenWriteConnectionAsync(cancellationToken).ConfigureAwait(false);

    /// <summary>A command that runs on the primary.</summary>
    protected override DbCommand CreateDbCommand(string? commandText = null) =>
        new TidemarkCommand(this, consistency: null, isWrite: true) { CommandText = commandText };

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) Cluster.Dispose();
        base.Dispose(disposing);
    }

    /// <inheritdoc/>
    protected override async ValueTask DisposeAsyncCore()
    {
        await Cluster.DisposeAsync().ConfigureAwait(false);
        await base.DisposeAsyncCore().ConfigureAwait(false);
    }

    private async ValueTask<NpgsqlConnection> OpenReadAsync(Consistency? consistency, CancellationToken cancellationToken)
    {
        var (attempts, session) = await BeginReadAsync(consistency, cancellationToken).ConfigureAwait(false);
        while (true)
        {
            var decision = attempts.Next();
            using var activity = RouteActivity.Start(decision);
            var connection = Cluster.CreateRead(decision);
            try
            {
                await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
                if (!Cluster.NeedsCheck(connection, decision)
                    || await ReadCheck.PassesAsync(connection, decision.MustInclude!.Value, cancellationToken).ConfigureAwait(false))
                {
                    return connection;
                }

                await connection.DisposeAsync().ConfigureAwait(false);
                RouteActivity.Behind(activity);
                attempts.Exclude();
            }
            catch (Exception failure)
            {
                RouteActivity.Fail(activity, failure);
                await connection.DisposeAsync().ConfigureAwait(false);
                // Opening and checking are not the caller's commands, whatever takes too long in them.
                if (!attempts.Absorb(failure, isOpen: false)) throw;
            }
        }
    }

    private Scope Enter(Ambient ambient)
    {
        var outer = _ambient.Value;
        _ambient.Value = ambient;
        return new Scope(this, outer);
    }

    private static NodeStatus StatusOf(NodeState node, ClusterSnapshot snapshot)
    {
        var isServing = node.Standing is NodeStanding.Primary or NodeStanding.Replica;
        return new NodeStatus(node.Name, node.Role, isServing, node.Timeline, node.Position, isServing ? null : Router.WhyRefused(node, snapshot));
    }

    /// <summary>What surrounds a call: the session, and what its reads ask for.</summary>
    private sealed record Ambient(ConsistencySession? Session = null, Consistency? Consistency = null, string? OnNode = null);

    private sealed class Scope(TidemarkDataSource source, Ambient? outer) : IDisposable
    {
        public void Dispose() => source._ambient.Value = outer;
    }
}
