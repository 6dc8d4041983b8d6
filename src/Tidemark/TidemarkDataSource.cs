using System.Data;
using System.Data.Common;
using System.Runtime.CompilerServices;
using Npgsql;

namespace Tidemark;

/// <summary>
/// Data source for a cluster of one primary and any number of replicas. Used as a plain <see cref="DbDataSource"/>, it connects to the
/// primary. Read connections, read commands and read-only transactions go to a replica that has every write of the current session. Safe
/// for concurrent use. Create one instance for each cluster.
/// </summary>
public sealed class TidemarkDataSource : DbDataSource
{
    private readonly LiveOptions _options;
    private readonly AsyncLocal<FlowScope<Surroundings>?> _ambient = new();

    private readonly KeyFreshness _freshness;
    private readonly Func<ConsistencySession?> _findSession;
    private readonly Action<ConsistencySession, CausalToken> _continueAfter;

    internal TidemarkDataSource(TidemarkOptions options, ClusterConnections cluster, TimeProvider time, FreshnessStore? freshness = null)
    {
        _options = new LiveOptions(options);
        Time = time;
        Cluster = cluster;
        CommitAdvice = new CommitAdvice(cluster.Logger);
        Watermarks = new WatermarkResolver(cluster, _options, time, ReportLoss);
        cluster.Validate = Watermarks.Validate;
        _findSession = () => CurrentSession;
        Tokens = new SessionTokens(cluster, Watermarks, _options, time);
        SlowReads = new SlowReads(_options, time, cluster.Logger);
        _continueAfter = Tokens.Continue;
        freshness ??= new InMemoryFreshnessStore();
        freshness.Attach(stop => OpenWriteAsync(session: null, IoMode.Async, stop));
        _freshness = new KeyFreshness(cluster, Tokens, freshness, _findSession, () => DecideWrite(session: null));
    }

    /// <summary>
    /// Raised when a session has lost something that it wrote or read: after a failover or crash, the cluster's history no longer contains
    /// it. The event is raised by the read, write or token capture that detects the loss. A read then returns the current data.
    /// </summary>
    public event EventHandler<LostWrite>? WriteLost;

    /// <summary>The connection string, without its password, of the current primary, or of the first node if no primary is known.</summary>
    public override string ConnectionString => Cluster.ConnectionString(PrimaryOrFirst);

    /// <summary>The current state of each node, in the order of the configuration. Performs no I/O.</summary>
    public IReadOnlyList<NodeStatus> Nodes
    {
        get
        {
            var snapshot = Cluster.Monitor.Snapshot;
            return [.. snapshot.Nodes.Select(n => NodeStatus.Of(n, snapshot, Time))];
        }
    }

    /// <summary>The session that surrounds the caller, or <see langword="null"/> if none exists.</summary>
    public ConsistencySession? CurrentSession => Surroundings.SessionIn(_ambient.Value);

    internal ClusterConnections Cluster { get; }

    internal TimeProvider Time { get; }

    internal WatermarkResolver Watermarks { get; }

    internal SessionTokens Tokens { get; }

    internal CommitAdvice CommitAdvice { get; }

    internal SlowReads SlowReads { get; }

    /// <summary><see langword="true"/> if queries that track entities may read from replicas.</summary>
    internal bool TracksFromReplicas => _options.Current.TrackedQueries == TrackedQueries.FromReplicas;

    /// <summary>
    /// Applies options that have changed in the configuration. Those that require a restart are logged and otherwise ignored.
    /// </summary>
    /// <param name="options">Valid options.</param>
    internal void Reload(TidemarkOptions options)
    {
        var (applied, pending) = _options.Reload(options);
        if (applied.Count > 0) Log.OptionsReloaded(Cluster.Logger, string.Join(", ", applied));
        if (pending.Count > 0) Log.RestartRequired(Cluster.Logger, string.Join(", ", pending));
    }

    /// <summary>The database and the nodes, for messages.</summary>
    internal string Describe() => $"'{Database}' on {string.Join(", ", Cluster.Names)}";

    /// <exception cref="ObjectDisposedException">The data source has been disposed.</exception>
    internal void ThrowIfDisposed() => Cluster.ThrowIfDisposed();

    /// <summary>The name of the database on every node.</summary>
    internal string Database => Cluster.Database;

    /// <summary>Creates a data source from one connection string. Each host in the string becomes a node.</summary>
    /// <exception cref="FormatException">The text is not a valid connection string.</exception>
    /// <exception cref="Microsoft.Extensions.Options.OptionsValidationException">
    /// The string contains settings that a node must not have. The exception lists all of them.
    /// </exception>
    public static TidemarkDataSource Create(string connectionString)
    {
        var builder = new TidemarkDataSourceBuilder();
        builder.Options.AddNodes(connectionString);
        return builder.Build();
    }

    /// <summary>
    /// Begins a session that surrounds the caller until it is disposed. Reads in the session include everything that the session has
    /// written and read before.
    /// </summary>
    /// <param name="after">
    /// A token of another session, in this process or another, that this session continues; or <see langword="null"/> to start without one.
    /// </param>
    /// <param name="affinity">
    /// A key that identifies the owner of the session, such as a user id. Sessions with the same key read from the same node, in every
    /// process. They do so as long as that node can serve the reads and has no more than 1.25 times its share of the reads in flight. The
    /// key is a preference that keeps caches warm, not a guarantee. <see langword="null"/> means no preference.
    /// </param>
    /// <remarks>
    /// The session flows with <see langword="await"/>, like any <see cref="AsyncLocal{T}"/>. A session that begins inside another session
    /// is independent of it. With a token, the call waits until every node has been probed; this happens once per data source.
    /// </remarks>
    /// <exception cref="ArgumentException">The token belongs to another cluster, or the affinity is empty.</exception>
    [OverloadResolutionPriority(1)] // A literal null means no token rather than an empty list of tokens.
    public ConsistencySession BeginSession(CausalToken? after = null, string? affinity = null)
    {
        if (affinity is not null) ArgumentException.ThrowIfNullOrEmpty(affinity);
        FlowScope<Surroundings>? scope = null;
        var session = new ConsistencySession(Cluster.Monitor, () => scope?.Dispose())
        {
            Affinity = affinity is null ? null : Rendezvous.Hash(affinity),
            ContinueAfter = _continueAfter,
        };
        if (after is not null) Tokens.Continue(session, after);
        scope = Enter(new Surroundings(session));
        return session;
    }

    /// <summary>
    /// Begins a session that continues several others: its reads include everything that they wrote and read. An example is a job that runs
    /// after several requests. Use <see cref="ConsistencySession.Include"/> to add a token later.
    /// </summary>
    /// <param name="tokens">The tokens of the other sessions. Each one is validated separately.</param>
    /// <exception cref="ArgumentException">
    /// A token belongs to another cluster, or two tokens belong to different clusters. No session begins in this case.
    /// </exception>
    public ConsistencySession BeginSession(params IReadOnlyList<CausalToken> tokens)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        Tokens.ThrowIfContradictory(tokens);
        var session = BeginSession(after: null, affinity: null);
        foreach (var token in tokens) Tokens.Continue(session, token);
        return session;
    }

    /// <summary>
    /// Captures a token with which another process can continue the current session. Queries the primary once if the position of anything
    /// that the session wrote or read is pending.
    /// </summary>
    /// <exception cref="InvalidOperationException">No session is active.</exception>
    /// <exception cref="LostWriteException">
    /// The session has lost something, and <see cref="TidemarkOptions.ThrowOnLostWrite"/> is set.
    /// </exception>
    public ValueTask<CausalToken> CaptureTokenAsync(CancellationToken cancellationToken = default) => Tokens.CaptureAsync(
        CurrentSession ?? throw new InvalidOperationException("No session is active, so no token can be captured. "
            + "Begin one with BeginSession, or call app.UseTidemark()."),
        ConsistencyDemands.Written | ConsistencyDemands.Observed,
        cancellationToken);

    /// <summary>
    /// Records a write under a key, such as <c>order:42</c>. After a call to <see cref="RequireAsync"/> with that key, the reads of any
    /// session include the write. Call this method after the write has committed.
    /// </summary>
    /// <param name="key">The key: 1 to 200 characters without control characters.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <remarks>
    /// <para>
    /// The recorded position is that of the current session's writes. If it may not cover all writes of the caller, the position is queried
    /// from the primary. That is the case outside a session, and if a position is pending, if the session has written nothing, or if it
    /// has used <see cref="ConsistencySession.IgnoreWrites"/>.
    /// </para>
    /// <para>
    /// <see cref="TidemarkDataSourceBuilder.FreshnessStore"/> determines where keys are stored and which processes can read them.
    /// </para>
    /// </remarks>
    /// <exception cref="ArgumentException">The key is not valid.</exception>
    /// <exception cref="InvalidOperationException">
    /// A <see cref="System.Transactions.TransactionScope"/> surrounds the caller, so nothing has been committed yet.
    /// </exception>
    /// <exception cref="RoutingException">The position must be queried, and no primary is available.</exception>
    public ValueTask NoteWriteAsync(string key, CancellationToken cancellationToken = default) =>
        _freshness.NoteWriteAsync(key, cancellationToken);

    /// <summary>
    /// Makes the following reads of the current session include the writes that were recorded under a key, by any session. Does nothing if
    /// no write was recorded under it.
    /// </summary>
    /// <inheritdoc cref="NoteWriteAsync" path="/param"/>
    /// <remarks>
    /// Applies to reads of every level except <see cref="Consistency.Eventual"/> and plain <see cref="Consistency.BoundedStaleness"/>,
    /// which do not require a position.
    /// </remarks>
    /// <exception cref="ArgumentException">The key is not valid.</exception>
    /// <exception cref="InvalidOperationException">
    /// No session is active, or the table of a <see cref="TableFreshnessStore"/> does not exist.
    /// </exception>
    /// <exception cref="RoutingException">Keys are stored in a table, and no primary is available to query.</exception>
    public ValueTask RequireAsync(string key, CancellationToken cancellationToken = default) =>
        _freshness.RequireAsync(key, cancellationToken);

    /// <summary>Sets the consistency of reads until the returned scope is disposed. The innermost scope applies.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The maximum staleness is less than the probe interval.</exception>
    public IDisposable Require(Consistency consistency) =>
        Enter(new Surroundings(Consistency: Checked(consistency)));

    /// <summary>Sends reads to one node until the returned scope is disposed. They never fall back to another node.</summary>
    /// <exception cref="ArgumentException">No node has that name.</exception>
    public IDisposable RequireNode(string node)
    {
        ThrowIfUnknown(node);
        return Enter(new Surroundings(Node: node));
    }

    /// <summary>
    /// Returns the node that a read would go to now, and the reason why each other node was rejected. Performs no I/O. The next read is
    /// likely, but not certain, to go to the same node.
    /// </summary>
    /// <param name="consistency">The consistency of the read. If omitted, that of the surrounding scope or the default level.</param>
    /// <exception cref="ArgumentOutOfRangeException">The maximum staleness is less than the probe interval.</exception>
    public RouteDecision Explain(Consistency? consistency = null) =>
        Cluster.Decide(new ReadAttempts(Cluster, BeginRead(consistency)).Requirement, affinity: CurrentSession?.Affinity);

    /// <summary>
    /// Opens a read connection on a node that has every write of the session. Tidemark does not move or retry what runs on the connection.
    /// </summary>
    /// <param name="consistency">The consistency of the reads. If omitted, that of the surrounding scope or the default level.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="RoutingException">No node can serve the reads. The exception gives the reason for each node.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The maximum staleness is less than the probe interval.</exception>
    /// <exception cref="LostWriteException">
    /// The session has lost something, and <see cref="TidemarkOptions.ThrowOnLostWrite"/> is set.
    /// </exception>
    public ValueTask<NpgsqlConnection> OpenReadConnectionAsync(Consistency? consistency = null,
        CancellationToken cancellationToken = default) =>
        OpenReadAsync(consistency, IoMode.Async, cancellationToken);

    /// <inheritdoc cref="OpenReadConnectionAsync"/>
    public NpgsqlConnection OpenReadConnection(Consistency? consistency = null) =>
        Io.Result(OpenReadAsync(consistency, IoMode.Blocking, CancellationToken.None));

    /// <summary>
    /// Begins a read-only transaction on a node that has everything that the session wrote and read, on a replica if one can serve it. Use
    /// it to run a report on one snapshot. If the transaction cannot begin on a node, another node is tried. After it has begun it stays on
    /// its node, and retrying it is up to the caller.
    /// </summary>
    /// <param name="consistency">The consistency of the reads. If omitted, that of the surrounding scope or the default level.</param>
    /// <param name="isolation">
    /// The isolation level. By default the whole transaction uses one snapshot; with <see cref="IsolationLevel.ReadCommitted"/> each
    /// statement has its own.
    /// </param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="RoutingException">No node can serve the reads. The exception gives the reason for each node.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The maximum staleness is less than the probe interval.</exception>
    /// <exception cref="LostWriteException">
    /// The session has lost something, and <see cref="TidemarkOptions.ThrowOnLostWrite"/> is set.
    /// </exception>
    /// <exception cref="ArgumentException">
    /// The isolation level is <see cref="IsolationLevel.Serializable"/>, which PostgreSQL does not support on replicas.
    /// </exception>
    public ValueTask<TidemarkReadOnlyTransaction> BeginReadOnlyTransactionAsync(
        Consistency? consistency = null, IsolationLevel isolation = IsolationLevel.RepeatableRead,
        CancellationToken cancellationToken = default) =>
        BeginReadOnlyAsync(consistency, isolation, IoMode.Async, cancellationToken);

    /// <inheritdoc cref="BeginReadOnlyTransactionAsync"/>
    public TidemarkReadOnlyTransaction BeginReadOnlyTransaction(
        Consistency? consistency = null, IsolationLevel isolation = IsolationLevel.RepeatableRead) =>
        Io.Result(BeginReadOnlyAsync(consistency, isolation, IoMode.Blocking, CancellationToken.None));

    /// <summary>
    /// Opens a connection to the primary. Until it is closed, it counts as a write of the session. Does not wait for a primary if there is
    /// none.
    /// </summary>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="RoutingException">No primary is available. The exception gives the state of each node.</exception>
    /// <exception cref="LostWriteException">
    /// The session has lost something, and <see cref="TidemarkOptions.ThrowOnLostWrite"/> is set.
    /// </exception>
    public ValueTask<NpgsqlConnection> OpenWriteConnectionAsync(CancellationToken cancellationToken = default) =>
        OpenWriteAsync(CurrentSession, IoMode.Async, cancellationToken);

    /// <inheritdoc cref="OpenWriteConnectionAsync"/>
    public NpgsqlConnection OpenWriteConnection() =>
        Io.Result(OpenWriteAsync(CurrentSession, IoMode.Blocking, CancellationToken.None));

    internal async ValueTask<NpgsqlConnection> OpenWriteAsync(
        ConsistencySession? session, IoMode io, CancellationToken cancellationToken)
    {
        if (io == IoMode.Async) await Cluster.Monitor.FirstRoundAsync(cancellationToken).ConfigureAwait(false);
        else Cluster.Monitor.FirstRound();
        var decision = DecideWrite(session);
        using var activity = RouteActivity.Start(decision);
        var connection = Cluster.CreateWrite(decision.NodeIndex, session);
        try
        {
            await connection.OpenAsync(io, cancellationToken).ConfigureAwait(false);
            return connection;
        }
        catch (Exception failure)
        {
            RouteActivity.Fail(activity, failure);
            await connection.DisposeAsync(io).ConfigureAwait(false);
            if (NoPrimary(decision.NodeIndex, failure) is { } explained) throw explained;
            throw;
        }
    }

    /// <summary>
    /// Begins a transaction on the primary with its own <c>synchronous_commit</c> level, which overrides the server's setting.
    /// </summary>
    /// <param name="synchronousCommit">What the commit waits for.</param>
    /// <param name="isolation">The isolation level. If omitted, the server's default.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="RoutingException">No primary is available. The exception gives the state of each node.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The <see cref="SynchronousCommit"/> value is not defined.</exception>
    public ValueTask<TidemarkTransaction> BeginTransactionAsync(
        SynchronousCommit synchronousCommit, IsolationLevel isolation = IsolationLevel.Unspecified,
        CancellationToken cancellationToken = default) =>
        TidemarkTransaction.BeginAsync(this, synchronousCommit, isolation, IoMode.Async, cancellationToken);

    /// <inheritdoc cref="BeginTransactionAsync"/>
    public TidemarkTransaction BeginTransaction(SynchronousCommit synchronousCommit,
        IsolationLevel isolation = IsolationLevel.Unspecified) =>
        Io.Result(TidemarkTransaction.BeginAsync(this, synchronousCommit, isolation, IoMode.Blocking, CancellationToken.None));

    /// <summary>
    /// Creates a command that is routed as a read each time it runs. If the node must be verified, that happens in the same round trip. If
    /// the node fails before the first row, the command is retried on another node. A statement that turns out to write runs on the primary
    /// instead.
    /// </summary>
    /// <param name="commandText">The SQL.</param>
    /// <param name="consistency">The consistency of the read. If omitted, that of the surrounding scope or the default level.</param>
    public DbCommand CreateReadCommand(string? commandText = null, Consistency? consistency = null) =>
        new TidemarkCommand(this, consistency, isWrite: false) { CommandText = commandText };

    /// <summary>
    /// Returns the consistency of a read: its own if given, otherwise that of the innermost scope, otherwise the default. The result is
    /// always bounded by the cluster's <see cref="TidemarkOptions.MaxStaleness"/>.
    /// </summary>
    /// <param name="consistency">The consistency of the read itself.</param>
    /// <param name="rule">
    /// The consistency that the model requires for the entities in the query. It applies in addition to the level of the read or scope.
    /// </param>
    /// <param name="isRuled">
    /// <see langword="true"/> if the model has such a rule for every entity in the query, so that the default does not apply.
    /// </param>
    internal Consistency Effective(Consistency? consistency, Consistency? rule = null, bool isRuled = false)
    {
        var effective = consistency is { } own ? Checked(own) : Surroundings.ConsistencyIn(_ambient.Value)
            ?? (isRuled ? Consistency.Eventual : _options.Current.DefaultConsistency);
        if (rule is { } further) effective = Consistency.MostDemanding(effective, Checked(further));
        return _options.Current.MaxStaleness is { } most && !(effective.MaxStaleness <= most) ? effective.Within(most) : effective;
    }

    private Consistency Checked(Consistency consistency) =>
        consistency.MaxStaleness is { } bound && bound < _options.Current.ProbeInterval
            ? throw new ArgumentOutOfRangeException(
                nameof(consistency), bound,
                $"Staleness is measured by probes, one every {_options.Current.ProbeInterval} (ProbeInterval). "
                    + "Request at least that, or shorten ProbeInterval.")
            : consistency;

    private void ReportLoss(LostWrite lost)
    {
        try
        {
            WriteLost?.Invoke(this, lost);
        }
#pragma warning disable CA1031 // Exceptions from event handlers must not fail the user's operation.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Log.EventHandlerFailed(Cluster.Logger, e);
        }

        if (_options.Current.ThrowOnLostWrite) throw new LostWriteException(lost);
    }

    /// <summary>Creating a connection must not fail if no primary is available. Opening it then fails.</summary>
    private int PrimaryOrFirst => Math.Max(Cluster.Monitor.Snapshot.PrimaryIndex, 0);

    internal string? CurrentNode => Surroundings.NodeIn(_ambient.Value);

    /// <summary>Begins a read in the surrounding session, with the consistency and node of the surrounding scopes.</summary>
    internal ReadRequest BeginRead(Consistency? consistency) => new(CurrentSession, Effective(consistency), CurrentNode);

    private ValueTask<T> OpenReadAsync<T>(Consistency? consistency, bool isReadOnly,
        Func<NpgsqlConnection, RouteDecision, IoMode, CancellationToken, ValueTask<T>> begin, IoMode io,
        CancellationToken cancellationToken)
        where T : class => ReadLoop.RunAsync(
            Watermarks, BeginRead(consistency),
            new ReadOpening<T>(Watermarks, Cluster, _findSession, Effective(consistency), begin) { IsReadOnly = isReadOnly },
            io, cancellationToken);

    private ValueTask<NpgsqlConnection> OpenReadAsync(Consistency? consistency, IoMode io, CancellationToken cancellationToken) =>
        OpenReadAsync(consistency, isReadOnly: false,
            static (connection, _, _, _) => new ValueTask<NpgsqlConnection>(connection), io, cancellationToken);

    private ValueTask<TidemarkReadOnlyTransaction> BeginReadOnlyAsync(
        Consistency? consistency, IsolationLevel isolation, IoMode io, CancellationToken cancellationToken)
    {
        TidemarkReadOnlyTransaction.ThrowIfRefused(isolation);
        return OpenReadAsync(consistency, isReadOnly: true,
            (connection, decision, mode, stop) => TidemarkReadOnlyTransaction.BeginAsync(connection, decision, isolation, mode, stop),
            io, cancellationToken);
    }

    /// <summary>Decides for the primary. A lost write of the session is reported first.</summary>
    internal RouteDecision DecideWrite(ConsistencySession? session)
    {
        Watermarks.Validate(session);
        var decision = Cluster.Decide(ReadRequirement.Primary(RouteReason.Write));
        return decision.NodeIndex >= 0 ? decision : throw RoutingException.NoNode(decision, last: null);
    }

    /// <summary>
    /// Converts a failure to open a connection into an exception for a missing primary. Returns <see langword="null"/> if the
    /// failure has another meaning.
    /// </summary>
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
            throw new ArgumentException($"No node is named '{node}'. The nodes are {string.Join(", ", Cluster.Names)}.",
                nameof(node));
    }

    /// <summary>
    /// Creates a connection to the current primary. Each time it is opened, it uses the session that surrounds the caller. Opening it fails
    /// if the node has lost the primary role.
    /// </summary>
    protected override DbConnection CreateDbConnection() => Cluster.CreateWrite(PrimaryOrFirst, _findSession);

    /// <inheritdoc/>
    protected override DbConnection OpenDbConnection() => OpenWriteConnection();

    /// <inheritdoc/>
    protected override async ValueTask<DbConnection> OpenDbConnectionAsync(CancellationToken cancellationToken = default) =>
        await OpenWriteConnectionAsync(cancellationToken).ConfigureAwait(false);

    /// <summary>Creates a command that runs on the primary.</summary>
    protected override DbCommand CreateDbCommand(string? commandText = null) =>
        new TidemarkCommand(this, consistency: null, isWrite: true) { CommandText = commandText };

    /// <summary>Creates a batch that runs on the primary.</summary>
    protected override DbBatch CreateDbBatch() => new TidemarkBatch(this);

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

    /// <summary>Makes an existing session the current session until the returned scope is disposed.</summary>
    internal IDisposable Enter(ConsistencySession session) => Enter(new Surroundings(session));

    private FlowScope<Surroundings> Enter(Surroundings surroundings) => Surroundings.Enter(_ambient, surroundings);
}
