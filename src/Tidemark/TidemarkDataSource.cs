using System.Data;
using System.Data.Common;
using System.Runtime.CompilerServices;
using Npgsql;

namespace Tidemark;

/// <summary>
/// The front door to a cluster of one primary and any number of replicas. As a plain <see cref="DbDataSource"/> it is the primary; what is
/// opened or created for reading goes to a replica that has everything the current session wrote. Safe for concurrent use; one for each
/// cluster.
/// </summary>
public sealed class TidemarkDataSource : DbDataSource
{
    private readonly LiveOptions _options;
    private readonly TimeProvider _time;
    private readonly AsyncLocal<Ambient?> _ambient = new();

    private readonly KeyFreshness _freshness;
    private readonly Func<ConsistencySession?> _findSession;
    private readonly Action<ConsistencySession, CausalToken> _continueAfter;

    internal TidemarkDataSource(TidemarkOptions options, ClusterConnections cluster, TimeProvider time, FreshnessStore? freshness = null)
    {
        _options = new LiveOptions(options);
        _time = time;
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
    /// A session lost something it wrote or saw: the cluster's history went on without it, after a failover or crash. Raised in the flow of
    /// the read,
    /// write or capture that found out; a read is then answered from the present.
    /// </summary>
    public event EventHandler<LostWrite>? WriteLost;

    /// <summary>The connection string of the primary as it is known at this moment, or of the first node, without its password.</summary>
    public override string ConnectionString => Cluster.ConnectionString(PrimaryOrFirst);

    /// <summary>What is known of each node right now, in the order of the configuration. No I/O.</summary>
    public IReadOnlyList<NodeStatus> Nodes
    {
        get
        {
            var snapshot = Cluster.Monitor.Snapshot;
            return [.. snapshot.Nodes.Select(n => NodeStatus.Of(n, snapshot, _time))];
        }
    }

    /// <summary>The session that surrounds the caller; <see langword="null"/> outside any.</summary>
    public ConsistencySession? CurrentSession => _ambient.Value?.Session;

    internal ClusterConnections Cluster { get; }

    internal WatermarkResolver Watermarks { get; }

    internal SessionTokens Tokens { get; }

    internal CommitAdvice CommitAdvice { get; }

    internal SlowReads SlowReads { get; }

    /// <summary>Queries that track entities may read from replicas.</summary>
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

    /// <summary>Its database and nodes, for messages.</summary>
    internal string Describe() => $"'{Database}' on {string.Join(", ", Cluster.Names)}";

    /// <exception cref="ObjectDisposedException">It was disposed of.</exception>
    internal void ThrowIfDisposed() => Cluster.ThrowIfDisposed();

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

    /// <summary>
    /// Begins a session that surrounds what the caller does until it is disposed of: its reads miss nothing that came before them.
    /// </summary>
    /// <param name="after">Where another session left off, in this process or another; <see langword="null"/>: nowhere.</param>
    /// <param name="affinity">
    /// Whose session it is, such as a user's id: sessions of one key read from the same node, in every process, as long as that node can
    /// serve and has
    /// no more than 1.25 times its share of the reads in flight. A preference that warms caches, never a guarantee. <see langword="null"/>:
    /// no preference.
    /// </param>
    /// <remarks>It flows with <see langword="await"/>, like any <see cref="AsyncLocal{T}"/>. A session within a session stands alone. With
    /// a token it waits, once in
    /// the life of the data source, until every node was asked.</remarks>
    /// <exception cref="ArgumentException">The token is of another cluster, or the affinity is empty.</exception>
    [OverloadResolutionPriority(1)] // A literal null means no token, and not an empty list of them.
    public ConsistencySession BeginSession(CausalToken? after = null, string? affinity = null)
    {
        if (affinity is not null) ArgumentException.ThrowIfNullOrEmpty(affinity);
        var outer = _ambient.Value;
        var session = new ConsistencySession(Cluster.Monitor, () => _ambient.Value = outer)
        {
            Affinity = affinity is null ? null : Rendezvous.Hash(affinity),
            ContinueAfter = _continueAfter,
        };
        if (after is not null) Tokens.Continue(session, after);
        _ambient.Value = (outer ?? new Ambient()) with { Session = session };
        return session;
    }

    /// <summary>
    /// Begins a session that goes on after several others: its reads include what all of them wrote and had seen, such as a job that waits
    /// for several requests.
    /// A further token is added with <see cref="ConsistencySession.Include"/>.
    /// </summary>
    /// <param name="tokens">Where the other sessions left off; each is checked by itself.</param>
    /// <exception cref="ArgumentException">
    /// A token is of another cluster, or two of them are of different clusters. No session has begun then.
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
    /// A token with which another process can go on where the current session is. Asks the primary once when something the session did is
    /// pending.
    /// </summary>
    /// <exception cref="InvalidOperationException">No session surrounds the caller.</exception>
    /// <exception cref="LostWriteException">
    /// The session lost something, and <see cref="TidemarkOptions.ThrowOnLostWrite"/> is set.
    /// </exception>
    public ValueTask<CausalToken> CaptureTokenAsync(CancellationToken cancellationToken = default) => Tokens.CaptureAsync(
        CurrentSession ?? throw new InvalidOperationException("There is no session to capture a token of. Begin one with BeginSession, "
            + "or call app.UseTidemark()."),
        ConsistencyDemands.Written | ConsistencyDemands.Seen,
        cancellationToken);

    /// <summary>
    /// Notes that something was written under a key, such as <c>order:42</c>: after <see cref="RequireAsync"/> the reads of any session
    /// include it. Call it once the
    /// write is committed. Notes the place of the current session's writes; where that is not known to include all that the
    /// caller wrote (something is pending, the session wrote nothing, or used <see cref="ConsistencySession.IgnoreWrites"/>), and outside
    /// any session, asks the primary where it is.
    /// </summary>
    /// <param name="key">1 to 200 characters, none of them a control character.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <remarks>Where keys are kept, and who sees them: <see cref="TidemarkDataSourceBuilder.FreshnessStore"/>.</remarks>
    /// <exception cref="ArgumentException">The key is none.</exception>
    /// <exception cref="InvalidOperationException">
    /// A <see cref="System.Transactions.TransactionScope"/> surrounds the caller: nothing is committed yet.
    /// </exception>
    /// <exception cref="RoutingException">The place had to be asked for, and there is no primary.</exception>
    public ValueTask NoteWriteAsync(string key, CancellationToken cancellationToken = default) =>
        _freshness.NoteWriteAsync(key, cancellationToken);

    /// <summary>
    /// The current session's reads from now on include what was noted under the key, whoever wrote it. Nothing was noted: nothing changes.
    /// </summary>
    /// <inheritdoc cref="NoteWriteAsync" path="/param"/>
    /// <remarks>
    /// Reads of every level include it but <see cref="Consistency.Eventual"/> and plain <see cref="Consistency.BoundedStaleness"/>, which
    /// ask for no place.
    /// </remarks>
    /// <exception cref="ArgumentException">The key is none.</exception>
    /// <exception cref="InvalidOperationException">
    /// No session surrounds the caller; or the table of a <see cref="TableFreshnessStore"/> is not there.
    /// </exception>
    /// <exception cref="RoutingException">Keys are kept in a table, and there is no primary to ask.</exception>
    public ValueTask RequireAsync(string key, CancellationToken cancellationToken = default) =>
        _freshness.RequireAsync(key, cancellationToken);

    /// <summary>Sets what reads ask for until the returned scope is disposed of; the innermost scope counts.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The bound of staleness is below the probe interval.</exception>
    public IDisposable Require(Consistency consistency) =>
        Enter((_ambient.Value ?? new Ambient()) with { Consistency = Checked(consistency) });

    /// <summary>Sends reads to one node until the returned scope is disposed of. They never move elsewhere.</summary>
    /// <exception cref="ArgumentException">There is no node of that name.</exception>
    public IDisposable RequireNode(string node)
    {
        ThrowIfUnknown(node);
        return Enter((_ambient.Value ?? new Ambient()) with { OnNode = node });
    }

    /// <summary>
    /// Where a read would go at this moment, and why not elsewhere. No I/O, so what it says of the next read is likely, not certain.
    /// </summary>
    /// <param name="consistency">What the read asks for; the surrounding scope's or the default level when left out.</param>
    /// <exception cref="ArgumentOutOfRangeException">The bound of staleness is below the probe interval.</exception>
    public RouteDecision Explain(Consistency? consistency = null) =>
        Cluster.Decide(new ReadAttempts(Cluster, BeginRead(consistency)).Requirement, affinity: CurrentSession?.Affinity);

    /// <summary>
    /// Opens a connection for reading, on a node that has what the session wrote. What is done on it afterwards is the caller's: it is not
    /// moved.
    /// </summary>
    /// <param name="consistency">What the reads ask for; the surrounding scope's or the default level when left out.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="RoutingException">No node can serve; says why for each.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The bound of staleness is below the probe interval.</exception>
    /// <exception cref="LostWriteException">
    /// The session lost something, and <see cref="TidemarkOptions.ThrowOnLostWrite"/> is set.
    /// </exception>
    public ValueTask<NpgsqlConnection> OpenReadConnectionAsync(Consistency? consistency = null,
        CancellationToken cancellationToken = default) =>
        OpenReadAsync(consistency, IoMode.Async, cancellationToken);

    /// <inheritdoc cref="OpenReadConnectionAsync"/>
    public NpgsqlConnection OpenReadConnection(Consistency? consistency = null) =>
        Io.Result(OpenReadAsync(consistency, IoMode.Blocking, CancellationToken.None));

    /// <summary>
    /// Begins a read-only transaction on a node that has what the session wrote and saw: one snapshot for a report, on a replica where one
    /// can serve it.
    /// When it cannot begin there, another node is tried; once it has begun it stays, and repeating it is the caller's.
    /// </summary>
    /// <param name="consistency">What the reads ask for; the surrounding scope's or the default level when left out.</param>
    /// <param name="isolation">
    /// One snapshot for all of it by default; with <see cref="IsolationLevel.ReadCommitted"/> one for each statement.
    /// </param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="RoutingException">No node can serve; says why for each.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The bound of staleness is below the probe interval.</exception>
    /// <exception cref="LostWriteException">
    /// The session lost something, and <see cref="TidemarkOptions.ThrowOnLostWrite"/> is set.
    /// </exception>
    /// <exception cref="ArgumentException"><see cref="IsolationLevel.Serializable"/>, which PostgreSQL refuses on replicas.</exception>
    public ValueTask<TidemarkReadOnlyTransaction> BeginReadOnlyTransactionAsync(
        Consistency? consistency = null, IsolationLevel isolation = IsolationLevel.RepeatableRead,
        CancellationToken cancellationToken = default) =>
        BeginReadOnlyAsync(consistency, isolation, IoMode.Async, cancellationToken);

    /// <inheritdoc cref="BeginReadOnlyTransactionAsync"/>
    public TidemarkReadOnlyTransaction BeginReadOnlyTransaction(
        Consistency? consistency = null, IsolationLevel isolation = IsolationLevel.RepeatableRead) =>
        Io.Result(BeginReadOnlyAsync(consistency, isolation, IoMode.Blocking, CancellationToken.None));

    /// <summary>Opens a connection to the primary. From then until it is closed it counts as a write of the session.</summary>
    /// <exception cref="RoutingException">There is no primary; says what was seen of each node. Never waits for one.</exception>
    /// <exception cref="LostWriteException">
    /// The session lost something, and <see cref="TidemarkOptions.ThrowOnLostWrite"/> is set.
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
    /// Begins a transaction on the primary whose commit waits for as much as it asks for, whatever the server's own setting.
    /// </summary>
    /// <param name="synchronousCommit">What the commit waits for.</param>
    /// <param name="isolation">The isolation level; the server's default when left out.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="RoutingException">There is no primary; says what was seen of each node.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There is no such <see cref="SynchronousCommit"/>.</exception>
    public ValueTask<TidemarkTransaction> BeginTransactionAsync(
        SynchronousCommit synchronousCommit, IsolationLevel isolation = IsolationLevel.Unspecified,
            CancellationToken cancellationToken = default) =>
        TidemarkTransaction.BeginAsync(this, synchronousCommit, isolation, IoMode.Async, cancellationToken);

    /// <inheritdoc cref="BeginTransactionAsync"/>
    public TidemarkTransaction BeginTransaction(SynchronousCommit synchronousCommit,
        IsolationLevel isolation = IsolationLevel.Unspecified) =>
        Io.Result(TidemarkTransaction.BeginAsync(this, synchronousCommit, isolation, IoMode.Blocking, CancellationToken.None));

    /// <summary>
    /// A command that is routed as a read each time it runs, verified in the same round trip where needed, and repeated on another node
    /// when its
    /// node fails before the first row. A statement that turns out to write is run on the primary instead.
    /// </summary>
    /// <param name="commandText">The SQL.</param>
    /// <param name="consistency">What the read asks for; the surrounding scope's or the default level when left out.</param>
    public DbCommand CreateReadCommand(string? commandText = null, Consistency? consistency = null) =>
        new TidemarkCommand(this, consistency, isWrite: false) { CommandText = commandText };

    /// <summary>
    /// What a read asks for: its own word, else that of the innermost scope, else the default; never older than the cluster's bound.
    /// </summary>
    /// <param name="consistency">The read's own word.</param>
    /// <param name="rule">
    /// What the model asks for of the entities that the read names: it holds whatever else was said, where it asks for more.
    /// </param>
    /// <param name="isRuled">The model has such a rule for each of them, so that the default says nothing.</param>
    internal Consistency Effective(Consistency? consistency, Consistency? rule = null, bool isRuled = false)
    {
        var asked = consistency is { } own ? Checked(own) : _ambient.Value?.Consistency
            ?? (isRuled ? Consistency.Eventual : _options.Current.DefaultConsistency);
        if (rule is { } further) asked = Consistency.MostDemanding(asked, Checked(further));
        return _options.Current.MaxStaleness is { } most && !(asked.MaxStaleness <= most) ? asked.Within(most) : asked;
    }

    private Consistency Checked(Consistency consistency) =>
        consistency.MaxStaleness is { } bound && bound < _options.Current.ProbeInterval
            ? throw new ArgumentOutOfRangeException(
                nameof(consistency), bound,
                $"Staleness is measured by probes, one each {_options.Current.ProbeInterval} (ProbeInterval). Use at least that, or "
                    + "probe more often.")
            : consistency;

    private void ReportLoss(LostWrite lost)
    {
        try
        {
            WriteLost?.Invoke(this, lost);
        }
#pragma warning disable CA1031 // Whoever listens must not fail the read of a user who has lost enough already.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Log.ListenerFailed(Cluster.Logger, e);
        }

        if (_options.Current.ThrowOnLostWrite) throw new LostWriteException(lost);
    }

    /// <summary>Creating a connection must not fail for want of a primary; opening it then does.</summary>
    private int PrimaryOrFirst => Math.Max(Cluster.Monitor.Snapshot.PrimaryIndex, 0);

    internal string? CurrentNode => _ambient.Value?.OnNode;

    /// <summary>A read of the surrounding session, at the level and on the node that the surrounding scopes ask for.</summary>
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

    /// <summary>The primary. A session that has lost something is told before what it is answered there.</summary>
    internal RouteDecision DecideWrite(ConsistencySession? session)
    {
        Watermarks.Validate(session);
        var decision = Cluster.Decide(ReadRequirement.Primary(RouteReason.Write));
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
            throw new ArgumentException($"There is no node named '{node}'. The nodes are {string.Join(", ", Cluster.Names)}.",
                nameof(node));
    }

    /// <summary>
    /// A connection to the primary as it is known at this moment. Each opening finds the session that surrounds it, and is refused where
    /// the node is not the primary any more.
    /// </summary>
    protected override DbConnection CreateDbConnection() => Cluster.CreateWrite(PrimaryOrFirst, _findSession);

    /// <inheritdoc/>
    protected override DbConnection OpenDbConnection() => OpenWriteConnection();

    /// <inheritdoc/>
    protected override async ValueTask<DbConnection> OpenDbConnectionAsync(CancellationToken cancellationToken = default) =>
        await OpenWriteConnectionAsync(cancellationToken).ConfigureAwait(false);

    /// <summary>A command that runs on the primary.</summary>
    protected override DbCommand CreateDbCommand(string? commandText = null) =>
        new TidemarkCommand(this, consistency: null, isWrite: true) { CommandText = commandText };

    /// <summary>There is none: a batch has several statements, and a session counts the writes of a connection.</summary>
    /// <exception cref="NotSupportedException">Always.</exception>
    protected override DbBatch CreateDbBatch() => throw new NotSupportedException(
        "A data source with several nodes has no batches of its own. Open a connection with OpenWriteConnection or OpenReadConnection, "
            + "and create the batch on it.");

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

    /// <summary>What the caller does belongs to a session that has begun elsewhere, until the returned scope is disposed of.</summary>
    internal IDisposable Enter(ConsistencySession session) => Enter((_ambient.Value ?? new Ambient()) with { Session = session });

    private Scope Enter(Ambient ambient)
    {
        var outer = _ambient.Value;
        _ambient.Value = ambient;
        return new Scope(this, outer);
    }

    /// <summary>What surrounds a call: the session, and what its reads ask for.</summary>
    private sealed record Ambient(ConsistencySession? Session = null, Consistency? Consistency = null, string? OnNode = null);

    private sealed class Scope(TidemarkDataSource source, Ambient? outer) : IDisposable
    {
        public void Dispose() => source._ambient.Value = outer;
    }
}
