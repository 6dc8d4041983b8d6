using System.Globalization;
using Npgsql;
using NpgsqlTypes;

namespace Tidemark.Testing;

/// <summary>
/// One PostgreSQL server of a <see cref="LocalCluster"/>. Its name, port and data stay the same when it is stopped, started,
/// killed or promoted. Different nodes may be handled at the same time; calls that change one node must not overlap.
/// </summary>
public sealed class LocalNode
{
    /// <summary>What a setting of PostgreSQL in milliseconds can hold.</summary>
    internal static readonly TimeSpan LongestDelay = TimeSpan.FromMilliseconds(int.MaxValue);

    // A replica that has just been started or pointed elsewhere streams after at most this, if it can.
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
        _server = new NodeServer(cluster, name, _folder);
        Replication = new NodeReplication(_server);
    }

    /// <summary>The name, such as <c>pg-2</c>; also the server's <c>cluster_name</c> and <c>application_name</c>.</summary>
    public string Name { get; }

    /// <summary>The port on 127.0.0.1.</summary>
    public int Port
    {
        get => _server.Port;
        internal set => _server.Port = value;
    }

    /// <summary>How the superuser <c>postgres</c> reaches the cluster's database, in the keywords of Npgsql. No password.</summary>
    public string ConnectionString => NodeAddress.ConnectionString(_cluster.Options.Database, Port);

    /// <summary>The data directory of the server.</summary>
    public string DataDirectory => _folder.Data;

    /// <summary>The node this one streams from; null for a primary, and for one that was a primary before another was promoted.</summary>
    public LocalNode? Follows { get; internal set; }

    /// <summary>The positions and slots of the server.</summary>
    internal NodeReplication Replication { get; }

    /// <summary>Whether a rejoin has begun to replace the data, and has not finished.</summary>
    internal bool IsHalfReplaced { get; private set; }

    /// <summary>The id of the postmaster's process; null while the server is down.</summary>
    public int? ProcessId => _server.ProcessId;

    /// <summary>Whether the postmaster runs.</summary>
    public bool IsRunning => _server.IsRunning;

    /// <summary>The last lines of the server's log, over all its lives, oldest first.</summary>
    /// <param name="lines">How many at most. Default 20.</param>
    public IReadOnlyList<string> ReadLog(int lines = NodeServer.QuotedLogLines) => _folder.ReadLog(lines);

    /// <summary>
    /// Stops replay at once (<c>pg_wal_replay_pause</c>): the node goes on receiving, and shows no commit made after this returns.
    /// A restart ends the pause.
    /// </summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="LocalClusterException">The replica did not confirm within <see cref="LocalClusterOptions.Timeout"/>.</exception>
    public async Task PauseReplayAsync(CancellationToken cancellationToken = default)
    {
        await AskAsync<object>("SELECT pg_wal_replay_pause()", cancellationToken).ConfigureAwait(false);
        await _server.WaitAsync("pause replay", async () =>
            await AskAsync<string>("SELECT pg_get_wal_replay_pause_state()", cancellationToken).ConfigureAwait(false) == "paused",
                cancellationToken)
            .ConfigureAwait(false);
    }

    /// <summary>Ends <see cref="PauseReplayAsync"/>.</summary>
    /// <param name="cancellationToken">Ends the call.</param>
    public Task ResumeReplayAsync(CancellationToken cancellationToken = default) =>
        AskAsync<object>("SELECT pg_wal_replay_resume()", cancellationToken);

    /// <summary>
    /// Lets every commit wait before it is replayed (<c>recovery_min_apply_delay</c>): each one by its own time, to about 1 ms.
    /// Stays in force over restarts.
    /// </summary>
    /// <param name="delay">The delay, in whole milliseconds; zero, as at the beginning, is none.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="delay"/> is negative or above 24 days.</exception>
    public async Task DelayReplayAsync(TimeSpan delay, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(delay, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(delay, LongestDelay);
        _applyDelay = delay;
        await ConfigureAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Stops the server and waits until the last of its processes is gone.</summary>
    /// <param name="mode">Default <see cref="StopMode.Fast"/>.</param>
    /// <param name="cancellationToken">Ends the wait, not the stop.</param>
    /// <exception cref="LocalClusterException">It still runs after <see cref="LocalClusterOptions.Timeout"/>.</exception>
    public Task StopAsync(StopMode mode = StopMode.Fast, CancellationToken cancellationToken = default) =>
        _server.StopAsync(mode, cancellationToken);

    /// <summary>
    /// Ends the server as a power failure would: SIGKILL to the postmaster. Returns when its other processes, which notice by
    /// themselves, are gone too, so that <see cref="StartAsync"/> finds the shared memory free.
    /// </summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="LocalClusterException">Some process still runs after <see cref="LocalClusterOptions.Timeout"/>.</exception>
    public Task KillAsync(CancellationToken cancellationToken = default) => _server.KillAsync(cancellationToken);

    /// <summary>
    /// Starts the server after a stop or kill, in the role it had, and returns when it accepts connections. A primary that was
    /// replaced meanwhile comes back as a primary. Does nothing when it runs.
    /// </summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="LocalClusterException">
    /// It ended, or accepts nothing after <see cref="LocalClusterOptions.Timeout"/>; or its data is gone, or half replaced by a
    /// <see cref="RejoinAsync"/>
    /// that was cut short.
    /// </exception>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        if (IsRunning)
            return;
        RefuseUnfinishedData();
        await _cluster.Launcher.FindBinariesAsync(cancellationToken).ConfigureAwait(false);
        await WriteSettingsAsync(cancellationToken).ConfigureAwait(false);      // an earlier change may have been cut short
        Launch();
        await WaitUntilAcceptingAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Makes this replica the primary (<c>pg_promote</c>) and returns when it accepts writes. The old primary is left as it is:
    /// if it still runs, there are two.
    /// </summary>
    /// <param name="follow">
    /// Whether the other running replicas follow this one. One that had received more than this one is rewound, or copied, as by
    /// <see cref="RejoinAsync"/>. Default
    /// true; a stopped one stays with the old primary until <see cref="FollowAsync"/>.
    /// </param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="InvalidOperationException">
    /// This node is no replica, or was left behind by an earlier promotion: <see cref="RejoinAsync"/> it first.
    /// </exception>
    /// <exception cref="LocalClusterException">
    /// It refuses writes after <see cref="LocalClusterOptions.Timeout"/>; or one that is to follow it does not stream.
    /// </exception>
    public Task PromoteAsync(bool follow = true, CancellationToken cancellationToken = default) =>
        _cluster.PromoteAsync(this, follow, cancellationToken);

    /// <summary>
    /// Points this replica to another primary, of the same history, and makes its slot there. A stopped one follows when it starts.
    /// </summary>
    /// <param name="primary">A running primary.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="InvalidOperationException">This node is no replica: its history would have to be rewound.</exception>
    public async Task FollowAsync(LocalNode primary, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(primary);
        if (Follows is null)
            throw new InvalidOperationException($"{Name} is no replica; to follow {primary.Name}, its history would have to be rewound.");
        await primary.AcceptFollowerAsync(this, cancellationToken).ConfigureAwait(false);
        Follows = primary;
        await ConfigureAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Makes a replica of the present primary again of this node: of an old primary, or of a replica that was left behind or has replayed
    /// what
    /// the primary never had. Stops it, if it runs. What only this node had is lost. Returns when it streams.
    /// </summary>
    /// <param name="cancellationToken">Ends the work; then the node is down, and a second call mends it.</param>
    /// <returns>Whether it was only pointed to the primary, rewound (<c>pg_rewind</c>), or replaced by a copy, and why.</returns>
    /// <exception cref="InvalidOperationException">It is the primary, or a replica in good order.</exception>
    /// <exception cref="LocalClusterException">The primary is down, or the node does not stream, whatever was tried.</exception>
    public async Task<RejoinOutcome> RejoinAsync(CancellationToken cancellationToken = default)
    {
        var primary = _cluster.Primary;
        if (this == primary)
            throw new InvalidOperationException($"{Name} is the primary; there is none it could follow.");
        if (!primary.IsRunning)
            throw new LocalClusterException($"{Name} cannot rejoin: the primary, {primary.Name}, is down. Start it, or promote another "
                + "node.");
        if (IsRunning && Follows == primary && await primary.HasFollowerAsync(this, SettlingTime, cancellationToken).ConfigureAwait(false))
            throw new InvalidOperationException($"{Name} is a replica in good order: it streams from {primary.Name}.");
        return await ReplaceHistoryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Waits until this node has replayed all that the cluster's primary had flushed when this was called.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="LocalClusterException">
    /// It has not after <see cref="LocalClusterOptions.Timeout"/>; also when replay is paused.
    /// </exception>
    public async Task WaitForReplayAsync(CancellationToken cancellationToken = default) =>
        await WaitForReplayAsync(await _cluster.Primary.Replication.FlushPositionAsync(cancellationToken).ConfigureAwait(false),
            cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public override string ToString() => $"{Name} at 127.0.0.1:{Port}";

    internal async Task WaitForReplayAsync(NpgsqlLogSequenceNumber lsn, CancellationToken cancellationToken)
    {
        if (this == _cluster.Primary)
            return;
        await _server.WaitAsync($"replay {lsn}", async () =>
            await Replication.ReplayPositionAsync(cancellationToken).ConfigureAwait(false) >= lsn, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Makes a replica of the present primary of this node, whatever it has.</summary>
    internal Task<RejoinOutcome> ReplaceHistoryAsync(CancellationToken cancellationToken) =>
        new Rejoin(this, _folder, _cluster.Primary, _cluster.Launcher).RunAsync(cancellationToken);

    /// <summary>
    /// Lets the server take writes. If this is cut short, whoever opens the cluster next sees it by the files of the server.
    /// </summary>
    internal async Task LeaveRecoveryAsync(IReadOnlyList<LocalNode> next, CancellationToken cancellationToken)
    {
        if (Follows is null)
            throw new InvalidOperationException($"{Name} is no replica, so it cannot be promoted.");

        // Slots come first: from the promotion on, this node may remove the WAL that its followers still need.
        foreach (var follower in next)
            await Replication.ReserveSlotAsync(follower.Name, cancellationToken).ConfigureAwait(false);
        await AskAsync<bool>("SELECT pg_promote(wait => false)", cancellationToken).ConfigureAwait(false);
        await _server.WaitAsync("accept writes after its promotion", async () =>
            !await AskAsync<bool>("SELECT pg_is_in_recovery()", cancellationToken).ConfigureAwait(false), cancellationToken)
                .ConfigureAwait(false);
    }

    /// <summary>Is known as the primary, to the next process and to its own settings.</summary>
    internal Task BecomePrimaryAsync(IReadOnlyList<LocalNode> next, CancellationToken cancellationToken)
    {
        Follows = null;
        _followers = [.. next.Select(node => node.Name)];
        return ConfigureAsync(cancellationToken);
    }

    // A slot, and a place among those that a remote_apply commit waits for.
    internal async Task AcceptFollowerAsync(LocalNode follower, CancellationToken cancellationToken)
    {
        await Replication.ReserveSlotAsync(follower.Name, cancellationToken).ConfigureAwait(false);
        if (_followers.Contains(follower.Name))
            return;
        _followers = [.. _followers, follower.Name];
        await ConfigureAsync(cancellationToken).ConfigureAwait(false);
    }

    internal void ExpectFollowers(IReadOnlyList<LocalNode> nodes) => _followers = [.. nodes.Select(node => node.Name)];

    /// <summary>Whether a node streams what this primary writes now, at once or within the limit.</summary>
    internal async Task<bool> HasFollowerAsync(LocalNode follower, TimeSpan limit, CancellationToken cancellationToken)
    {
        // The timeline tells: a node whose own history parted from this one streams too, up to where they part, and then for ever nothing.
        var timeline = await AskAsync<int>($"SELECT {NodeQuestion.WrittenTimeline}", cancellationToken).ConfigureAwait(false);
        var streams = string.Create(CultureInfo.InvariantCulture,
            $"SELECT EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming' AND sender_port = {Port} AND received_tli = {timeline})");
        return await Poll.UntilAsync(
            async () => follower.IsRunning && await follower.SaysAsync(streams, cancellationToken).ConfigureAwait(false),
            limit, _cluster.Options.TimeProvider, cancellationToken).ConfigureAwait(false);
    }

    // One that dies while it is asked, or refuses, does not say so.
    private async ValueTask<bool> SaysAsync(string question, CancellationToken cancellationToken)
    {
        try
        {
            return await AskAsync<bool>(question, cancellationToken).ConfigureAwait(false);
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }

    /// <summary>Is no replica, and cannot be started, while its data is replaced.</summary>
    internal void BeginReplacement()
    {
        Follows = null;
        IsHalfReplaced = true;
        _cluster.Save();
    }

    /// <summary>Takes a primary to follow from the next start on, by which the files already are those of a standby.</summary>
    internal Task BeginToFollowAsync(LocalNode primary, CancellationToken cancellationToken)
    {
        Follows = primary;
        IsHalfReplaced = false;
        _followers = [];
        _cluster.Save();
        return WriteSettingsAsync(cancellationToken);
    }

    internal NpgsqlConnection Connection() => _server.Connection();

    internal Task WriteSettingsAsync(CancellationToken cancellationToken) =>
        _cluster.Launcher.WriteAsync(_folder.Settings, ServerSettings.Compose(
        ServerSettings.Of(_cluster.Options, _cluster.IsComplete).Concat(_cluster.Options.Settings),
            new ServerRole(Name, Port, Follows?.Port, _applyDelay, _followers)), cancellationToken);

    internal void RefuseTakenPort() => _server.RefuseTakenPort();

    internal void Launch() => _server.Launch();

    internal Task WaitUntilAcceptingAsync(CancellationToken cancellationToken) => _server.WaitUntilAcceptingAsync(cancellationToken);

    internal Task<T> AskAsync<T>(string sql, CancellationToken cancellationToken) => _server.AskAsync<T>(sql, cancellationToken);

    internal string QuoteLog() => _server.QuoteLog();

    /// <summary>Lets go of the server, which the watchdog has stopped, or which goes on without us.</summary>
    internal Task EndAsync(bool goesOn) => _server.EndAsync(goesOn);

    /// <summary>What the next process that opens the cluster has to know.</summary>
    internal KeptNodeState ToState() => new(Name, Follows?.Name, (int)_applyDelay.TotalMilliseconds, _followers, IsHalfReplaced);

    /// <summary>Becomes what an earlier process knew, and finds the server, if it runs.</summary>
    internal void Restore(KeptNodeState state)
    {
        Follows = state.Follows is { } name ? _cluster[name] : null;
        _applyDelay = TimeSpan.FromMilliseconds(state.DelayMs);
        _followers = state.Followers;
        IsHalfReplaced = state.IsHalfReplaced;
        _server.Find();
    }

    // Half of one history and half of another may start, and even stream.
    private void RefuseUnfinishedData()
    {
        var problem = IsHalfReplaced ? "its data was being replaced by a rejoin that did not finish"
            : !Directory.Exists(DataDirectory) ? $"its data, {DataDirectory}, does not exist"
            : null;
        if (problem is not null)
            throw new LocalClusterException($"{Name} cannot be started: {problem}. "
                + (this == _cluster.Primary ? "Promote another node." : $"RejoinAsync, or 'tidemark cluster rejoin {Name}', makes a "
                    + "replica of it."));
    }

    private async Task ConfigureAsync(CancellationToken cancellationToken)
    {
        _cluster.Save();
        await WriteSettingsAsync(cancellationToken).ConfigureAwait(false);
        if (IsRunning)
            await _server.ReloadAsync(cancellationToken).ConfigureAwait(false);
    }
}
