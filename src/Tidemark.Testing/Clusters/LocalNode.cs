using System.Globalization;
using Npgsql;
using NpgsqlTypes;

namespace Tidemark.Testing;

/// <summary>
/// One PostgreSQL server of a <see cref="LocalCluster"/>. Its name, port and data stay the same when it is stopped, started,
/// killed or promoted. Different nodes can be changed at the same time. Calls that change the same node must not overlap.
/// </summary>
public sealed class LocalNode
{
    /// <summary>The maximum of a PostgreSQL setting in milliseconds.</summary>
    // Longest time until a replica streams after a start or a change of its primary, if it can stream at all.
    private static readonly TimeSpan SettlingTime = TimeSpan.FromSeconds(2);

    private readonly LocalCluster _cluster;
    private readonly NodeFolder _folder;
    private readonly NodeServer _server;
    private TimeSpan _applyDelay;
    private IReadOnlyList<string> _followers = [];

    internal LocalNode(LocalCluster cluster, string name)
    {
        _cluster = cluster;
        Name = name;
        _folder = new NodeFolder(cluster.Folder, name);
        _server = new NodeServer(cluster.Options, name, _folder, cluster.Launch);
        Replication = new NodeReplication(_server);
    }

    /// <summary>The name, such as <c>pg-2</c>. It is also the server's <c>cluster_name</c> and <c>application_name</c>.</summary>
    public string Name { get; }

    /// <summary>The port on 127.0.0.1.</summary>
    public int Port
    {
        get => _server.Port;
        internal set => _server.Port = value;
    }

    /// <summary>
    /// An Npgsql connection string to the cluster's database on this node, as the superuser <c>postgres</c>, without a password.
    /// </summary>
    public string ConnectionString => NodeAddress.ConnectionString(_cluster.Options.Database, Port);

    /// <summary>The data directory of the server.</summary>
    public string DataDirectory => _folder.Data;

    /// <summary>The node that this one streams from, or <c>null</c> for a primary or an old primary.</summary>
    public LocalNode? Follows { get; internal set; }

    /// <summary>The LSNs and slots of the server.</summary>
    internal NodeReplication Replication { get; }

    /// <summary>Whether a rejoin began to replace the data and did not finish.</summary>
    internal bool IsHalfReplaced { get; private set; }

    /// <summary>The process id of the postmaster, or <c>null</c> while the server is down.</summary>
    public int? ProcessId => _server.ProcessId;

    /// <summary>Whether the postmaster runs.</summary>
    public bool IsRunning => _server.IsRunning;

    /// <summary>Returns the last lines of the server's log, oldest first. The log continues across restarts.</summary>
    /// <param name="lines">Maximum number of lines. Default 20.</param>
    public IReadOnlyList<string> ReadLog(int lines = NodeServer.QuotedLogLines) => _folder.ReadLog(lines);

    /// <summary>
    /// Pauses replay immediately (<c>pg_wal_replay_pause</c>). The node continues to receive WAL, but commits made after this method
    /// returns are not visible on it. A restart ends the pause.
    /// </summary>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="LocalClusterException">Replay did not pause within <see cref="LocalClusterOptions.Timeout"/>.</exception>
    public async Task PauseReplayAsync(CancellationToken cancellationToken = default)
    {
        await QueryAsync<object>("SELECT pg_wal_replay_pause()", cancellationToken).ConfigureAwait(false);
        const string state = "SELECT pg_get_wal_replay_pause_state()";
        await _server.WaitAsync("pause replay", async () =>
            await QueryAsync<string>(state, cancellationToken).ConfigureAwait(false) == "paused", cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Resumes replay after <see cref="PauseReplayAsync"/>.</summary>
    /// <param name="cancellationToken">Cancels the operation.</param>
    public Task ResumeReplayAsync(CancellationToken cancellationToken = default) =>
        QueryAsync<object>("SELECT pg_wal_replay_resume()", cancellationToken);

    /// <summary>
    /// Delays the replay of every commit (<c>recovery_min_apply_delay</c>). The delay counts from each commit's own time, with a precision
    /// of about 1 ms. It persists across restarts.
    /// </summary>
    /// <param name="delay">The delay in whole milliseconds. Zero, the initial value, means no delay.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="delay"/> is negative or above 24 days.</exception>
    public async Task DelayReplayAsync(TimeSpan delay, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(delay, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(delay, LocalClusterOptions.LongestDelay);
        _applyDelay = delay;
        await ConfigureAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Stops the server and waits until all its processes have ended.</summary>
    /// <param name="mode">How to stop. Default <see cref="StopMode.Fast"/>.</param>
    /// <param name="cancellationToken">Cancels the wait, but not the stop.</param>
    /// <exception cref="LocalClusterException">The server still runs after <see cref="LocalClusterOptions.Timeout"/>.</exception>
    public Task StopAsync(StopMode mode = StopMode.Fast, CancellationToken cancellationToken = default) =>
        _server.StopAsync(mode, cancellationToken);

    /// <summary>
    /// Kills the server as a power failure would: sends SIGKILL to the postmaster. Its other processes detect this and end. Returns when
    /// they have ended too, so that <see cref="StartAsync"/> finds the shared memory free.
    /// </summary>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="LocalClusterException">A process still runs after <see cref="LocalClusterOptions.Timeout"/>.</exception>
    public Task KillAsync(CancellationToken cancellationToken = default) => _server.KillAsync(cancellationToken);

    /// <summary>
    /// Starts the server after a stop or kill, in the role it had, and returns when it accepts connections. An old primary starts as a
    /// primary again, even if another node was promoted in the meantime. Does nothing if the server runs.
    /// </summary>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="LocalClusterException">
    /// The server ended, or did not accept connections within <see cref="LocalClusterOptions.Timeout"/>. Also thrown if its data is
    /// missing, or was half replaced by an interrupted <see cref="RejoinAsync"/>.
    /// </exception>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        if (IsRunning)
            return;
        RefuseUnfinishedData();
        await _cluster.Launcher.FindBinariesAsync(cancellationToken).ConfigureAwait(false);
        await WriteSettingsAsync(cancellationToken).ConfigureAwait(false);      // an earlier change may have been interrupted
        Launch();
        await WaitUntilAcceptingAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Promotes this replica to primary (<c>pg_promote</c>) and returns when it accepts writes. Does not stop the old primary: if it still
    /// runs, there are two primaries.
    /// </summary>
    /// <param name="follow">
    /// Whether the other running replicas follow this node. A replica that has received more WAL than this node is rewound or copied, as by
    /// <see cref="RejoinAsync"/>. A stopped replica keeps following the old primary until <see cref="FollowAsync"/>. Default <c>true</c>.
    /// </param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="InvalidOperationException">
    /// This node is not a replica, or was left behind by an earlier promotion. In the latter case call <see cref="RejoinAsync"/> first.
    /// </exception>
    /// <exception cref="LocalClusterException">
    /// The node did not accept writes within <see cref="LocalClusterOptions.Timeout"/>, or another replica could not follow it.
    /// </exception>
    public Task PromoteAsync(bool follow = true, CancellationToken cancellationToken = default) =>
        _cluster.PromoteAsync(this, follow, cancellationToken);

    /// <summary>
    /// Points this replica to another primary with the same history, and creates its slot there. If this node is stopped, it follows the
    /// primary from its next start.
    /// </summary>
    /// <param name="primary">A running primary.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="InvalidOperationException">This node is not a replica. Its history must be rewound first.</exception>
    public async Task FollowAsync(LocalNode primary, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(primary);
        if (Follows is null)
            throw new InvalidOperationException(
                $"{Name} cannot follow {primary.Name}: it is not a replica, so its history must be rewound first. Call RejoinAsync.");
        await primary.AcceptFollowerAsync(this, cancellationToken).ConfigureAwait(false);
        Follows = primary;
        await ConfigureAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Makes this node a replica of the current primary again. The node may be an old primary, a replica that was left behind, or a replica
    /// that has replayed WAL the primary never had. Stops the node if it runs. Changes that only this node had are lost. Returns when the
    /// node streams.
    /// </summary>
    /// <param name="cancellationToken">Cancels the operation. The node is then down; a second call completes the work.</param>
    /// <returns>Whether the node was pointed to the primary, rewound (<c>pg_rewind</c>) or replaced with a copy, and why.</returns>
    /// <exception cref="InvalidOperationException">The node is the primary, or a replica that already streams from it.</exception>
    /// <exception cref="LocalClusterException">The primary is down, or the node does not stream after any of the methods.</exception>
    public async Task<RejoinOutcome> RejoinAsync(CancellationToken cancellationToken = default)
    {
        var primary = _cluster.Primary;
        if (this == primary)
            throw new InvalidOperationException($"{Name} cannot rejoin: {Name} is the primary.");
        if (!primary.IsRunning)
            throw new LocalClusterException(
                $"{Name} cannot rejoin: the primary, {primary.Name}, is down. Start {primary.Name}, or promote another node.");
        if (IsRunning && Follows == primary && await primary.HasFollowerAsync(this, SettlingTime, cancellationToken).ConfigureAwait(false))
            throw new InvalidOperationException($"{Name} does not need to rejoin: it already streams from {primary.Name}.");
        return await ReplaceHistoryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Waits until this node has replayed everything that the cluster's primary had flushed at the time of the call.</summary>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="LocalClusterException">
    /// The node did not catch up within <see cref="LocalClusterOptions.Timeout"/>, for example because replay is paused.
    /// </exception>
    public async Task WaitForReplayAsync(CancellationToken cancellationToken = default)
    {
        var lsn = await _cluster.Primary.Replication.FlushPositionAsync(cancellationToken).ConfigureAwait(false);
        await WaitForReplayAsync(lsn, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Name} at 127.0.0.1:{Port}";

    internal async Task WaitForReplayAsync(NpgsqlLogSequenceNumber lsn, CancellationToken cancellationToken)
    {
        if (this == _cluster.Primary)
            return;
        await _server.WaitAsync($"replay {lsn}", async () =>
            await Replication.ReplayPositionAsync(cancellationToken).ConfigureAwait(false) >= lsn, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Makes this node a replica of the current primary, whatever its history.</summary>
    internal Task<RejoinOutcome> ReplaceHistoryAsync(CancellationToken cancellationToken) =>
        new Rejoin(this, _folder, _cluster.Primary, _cluster.Launcher).RunAsync(cancellationToken);

    /// <summary>
    /// Promotes the server and waits until it accepts writes. After an interruption, the next process that opens the cluster detects the
    /// promotion by the server's files.
    /// </summary>
    internal async Task LeaveRecoveryAsync(IReadOnlyList<LocalNode> followers, CancellationToken cancellationToken)
    {
        if (Follows is null)
            throw new InvalidOperationException($"{Name} cannot be promoted: it is not a replica.");

        // Slots are created first: after the promotion, this node may remove WAL that its followers still need.
        foreach (var follower in followers)
            await Replication.ReserveSlotAsync(follower.Name, cancellationToken).ConfigureAwait(false);
        await QueryAsync<bool>("SELECT pg_promote(wait => false)", cancellationToken).ConfigureAwait(false);
        const string isReplica = "SELECT pg_is_in_recovery()";
        await _server.WaitAsync("accept writes after its promotion", async () =>
            !await QueryAsync<bool>(isReplica, cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Records this node as the primary, in the saved state and in its own settings.</summary>
    internal Task BecomePrimaryAsync(IReadOnlyList<LocalNode> followers, CancellationToken cancellationToken)
    {
        Follows = null;
        _followers = [.. followers.Select(node => node.Name)];
        return ConfigureAsync(cancellationToken);
    }

    // Creates a slot for the follower, and adds it to the standbys that a remote_apply commit waits for.
    internal async Task AcceptFollowerAsync(LocalNode follower, CancellationToken cancellationToken)
    {
        await Replication.ReserveSlotAsync(follower.Name, cancellationToken).ConfigureAwait(false);
        if (_followers.Contains(follower.Name))
            return;
        _followers = [.. _followers, follower.Name];
        await ConfigureAsync(cancellationToken).ConfigureAwait(false);
    }

    internal void ExpectFollowers(IReadOnlyList<LocalNode> nodes) => _followers = [.. nodes.Select(node => node.Name)];

    /// <summary>Returns whether a node streams this primary's current timeline, now or within the limit.</summary>
    internal async Task<bool> HasFollowerAsync(LocalNode follower, TimeSpan limit, CancellationToken cancellationToken)
    {
        // The timeline is decisive: a node that has left this history also streams, up to the fork. After that it receives nothing more.
        var timeline = await QueryAsync<int>($"SELECT {NodeQuestion.WrittenTimeline}", cancellationToken).ConfigureAwait(false);
        var streams = string.Create(CultureInfo.InvariantCulture, $"""
            SELECT EXISTS (SELECT FROM pg_stat_wal_receiver
                WHERE status = 'streaming' AND sender_port = {Port} AND received_tli = {timeline})
            """);
        return await Poll.UntilAsync(
            async () => follower.IsRunning && await follower.IsTrueAsync(streams, cancellationToken).ConfigureAwait(false),
            limit, _cluster.Options.TimeProvider, cancellationToken).ConfigureAwait(false);
    }

    // Returns false if the server ends during the query or rejects it.
    private async ValueTask<bool> IsTrueAsync(string question, CancellationToken cancellationToken)
    {
        try
        {
            return await QueryAsync<bool>(question, cancellationToken).ConfigureAwait(false);
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }

    /// <summary>Records that the data is being replaced. Until that is done the node is not a replica and cannot be started.</summary>
    internal void BeginReplacement()
    {
        Follows = null;
        IsHalfReplaced = true;
        _cluster.Save();
    }

    /// <summary>
    /// Records the primary that this node follows from its next start. The data directory must already be that of a standby.
    /// </summary>
    internal Task BeginToFollowAsync(LocalNode primary, CancellationToken cancellationToken)
    {
        Follows = primary;
        IsHalfReplaced = false;
        _followers = [];
        _cluster.Save();
        return WriteSettingsAsync(cancellationToken);
    }

    internal NpgsqlConnection Connection() => _server.Connection();

    internal Task WriteSettingsAsync(CancellationToken cancellationToken)
    {
        var options = _cluster.Options;
        var chosen = ServerSettings.Of(isKept: options.Name is not null && _cluster.IsComplete, options.SynchronousReplicas)
            .Concat(options.Settings);
        var role = new ServerRole(Name, Port, Follows?.Port, _applyDelay, _followers);
        return _cluster.Launcher.WriteAsync(_folder.Settings, ServerSettings.Compose(chosen, role), cancellationToken);
    }

    internal void RefuseTakenPort() => _server.RefuseTakenPort();

    internal void Launch() => _server.Launch();

    internal Task WaitUntilAcceptingAsync(CancellationToken cancellationToken) => _server.WaitUntilAcceptingAsync(cancellationToken);

    internal Task<T> QueryAsync<T>(string sql, CancellationToken cancellationToken) => _server.QueryAsync<T>(sql, cancellationToken);

    internal string QuoteLog() => _server.QuoteLog();

    /// <summary>Releases the server, which either keeps running or was stopped by the watchdog.</summary>
    internal Task EndAsync(bool keepRunning) => _server.EndAsync(keepRunning);

    /// <summary>Returns the state that the next process needs to open the cluster.</summary>
    internal KeptNodeState ToState() => new(Name, Follows?.Name, (int)_applyDelay.TotalMilliseconds, _followers, IsHalfReplaced);

    /// <summary>Restores the state that an earlier process saved, and finds the server if it runs.</summary>
    internal void Restore(KeptNodeState state)
    {
        Follows = state.Follows is { } name ? _cluster[name] : null;
        _applyDelay = TimeSpan.FromMilliseconds(state.DelayMs);
        _followers = state.Followers;
        IsHalfReplaced = state.IsHalfReplaced;
        _server.Find();
    }

    // A server whose data is a mix of two histories may start, and may even stream.
    private void RefuseUnfinishedData()
    {
        var problem = IsHalfReplaced ? "its data was being replaced by a rejoin that did not finish"
            : !Directory.Exists(DataDirectory) ? $"its data, {DataDirectory}, does not exist"
            : null;
        if (problem is not null)
            throw new LocalClusterException($"{Name} cannot be started: {problem}. " + (this == _cluster.Primary
                ? "Promote another node."
                : $"To make it a replica, call RejoinAsync, or run: tidemark cluster rejoin {Name}"));
    }

    private async Task ConfigureAsync(CancellationToken cancellationToken)
    {
        _cluster.Save();
        await WriteSettingsAsync(cancellationToken).ConfigureAwait(false);
        if (IsRunning)
            await _server.ReloadAsync(cancellationToken).ConfigureAwait(false);
    }
}
