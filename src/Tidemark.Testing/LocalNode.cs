using System.Diagnostics.CodeAnalysis;
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
    private const int QuotedLogLines = 20;

    private readonly LocalCluster _cluster;
    private readonly NodeFolder _folder;
    private ServerProcess? _server;
    private TimeSpan _applyDelay;
    private IReadOnlyList<string> _followers = [];

    internal LocalNode(LocalCluster cluster, string name)
    {
        _cluster = cluster;
        Name = name;
        _folder = new NodeFolder(cluster.Folder, name);
    }

    /// <summary>The name, such as <c>pg-2</c>; also the server's <c>cluster_name</c> and <c>application_name</c>.</summary>
    public string Name { get; }

    /// <summary>The port on 127.0.0.1.</summary>
    public int Port { get; internal set; }

    /// <summary>How the superuser <c>postgres</c> reaches the cluster's database, in the keywords of Npgsql. No password.</summary>
    public string ConnectionString => ConnectionStringTo(_cluster.Options.Database);

    /// <summary>The data directory of the server.</summary>
    public string DataDirectory => _folder.Data;

    /// <summary>The node this one streams from; null for a primary, and for one that was a primary before another was promoted.</summary>
    public LocalNode? Follows { get; internal set; }

    /// <summary>The id of the postmaster's process; null while the server is down.</summary>
    public int? ProcessId => IsRunning ? _server?.Id : null;

    /// <summary>Whether the postmaster runs.</summary>
    public bool IsRunning => _server is { IsRunning: true };

    /// <summary>The last lines of the server's log, over all its lives, oldest first.</summary>
    /// <param name="lines">How many at most. Default 20.</param>
    public IReadOnlyList<string> ReadLog(int lines = QuotedLogLines) => _folder.ReadLog(lines);

    /// <summary>
    /// Stops replay at once (<c>pg_wal_replay_pause</c>): the node goes on receiving, and shows no commit made after this returns.
    /// A restart ends the pause.
    /// </summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="LocalClusterException">The replica did not confirm within <see cref="LocalClusterOptions.Timeout"/>.</exception>
    public async Task PauseReplayAsync(CancellationToken cancellationToken = default)
    {
        await AskAsync<object>("SELECT pg_wal_replay_pause()", cancellationToken).ConfigureAwait(false);
        await WaitAsync("pause replay", async () =>
            await AskAsync<string>("SELECT pg_get_wal_replay_pause_state()", cancellationToken).ConfigureAwait(false) == "paused", cancellationToken)
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
        ArgumentOutOfRangeException.ThrowIfGreaterThan(delay, TimeSpan.FromMilliseconds(int.MaxValue));
        _applyDelay = delay;
        await ConfigureAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Stops the server and waits until the last of its processes is gone.</summary>
    /// <param name="mode">Default <see cref="StopMode.Fast"/>.</param>
    /// <param name="cancellationToken">Ends the wait, not the stop.</param>
    /// <exception cref="LocalClusterException">It still runs after <see cref="LocalClusterOptions.Timeout"/>.</exception>
    public async Task StopAsync(StopMode mode = StopMode.Fast, CancellationToken cancellationToken = default)
    {
        if (_server is null)
            return;
        await _server.SignalAsync(mode == StopMode.Fast ? "INT" : "QUIT").ConfigureAwait(false);
        await WaitUntilGoneAsync($"stop ({mode})", cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Ends the server as a power failure would: SIGKILL to the postmaster. Returns when its other processes, which notice by
    /// themselves, are gone too, so that <see cref="StartAsync"/> finds the shared memory free.
    /// </summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="LocalClusterException">Some process still runs after <see cref="LocalClusterOptions.Timeout"/>.</exception>
    public async Task KillAsync(CancellationToken cancellationToken = default)
    {
        if (!IsRunning)
            return;
        _server!.Kill();
        await WaitUntilGoneAsync("end after SIGKILL", cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Starts the server after a stop or kill, in the role it had, and returns when it accepts connections. A primary that was
    /// replaced meanwhile comes back as a primary. Does nothing when it runs.
    /// </summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="LocalClusterException">It ended, or accepts nothing after <see cref="LocalClusterOptions.Timeout"/>.</exception>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        if (IsRunning)
            return;
        Launch();
        await WaitUntilAcceptingAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Makes this replica the primary (<c>pg_promote</c>) and returns when it accepts writes. The old primary is left as it is:
    /// if it still runs, there are two.
    /// </summary>
    /// <param name="follow">Whether the other running replicas are re-pointed to this one. Default true; a stopped one stays with the old primary until <see cref="FollowAsync"/>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="InvalidOperationException">This node is no replica.</exception>
    /// <exception cref="LocalClusterException">It refuses writes after <see cref="LocalClusterOptions.Timeout"/>.</exception>
    public Task PromoteAsync(bool follow = true, CancellationToken cancellationToken = default) =>
        _cluster.PromoteAsync(this, follow, cancellationToken);

    /// <summary>Points this replica to another primary, of the same history, and makes its slot there. A stopped one follows when it starts.</summary>
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

    /// <summary>Waits until this node has replayed all that the cluster's primary had flushed when this was called.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="LocalClusterException">It has not after <see cref="LocalClusterOptions.Timeout"/>; also when replay is paused.</exception>
    public async Task WaitForReplayAsync(CancellationToken cancellationToken = default) =>
        await WaitForReplayAsync(await _cluster.Primary.FlushPositionAsync(cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public override string ToString() => $"{Name} at 127.0.0.1:{Port}";

    internal async Task WaitForReplayAsync(NpgsqlLogSequenceNumber position, CancellationToken cancellationToken)
    {
        if (this == _cluster.Primary)
            return;
        await WaitAsync($"replay {position}", async () =>
            await AskAsync<NpgsqlLogSequenceNumber?>("SELECT pg_last_wal_replay_lsn()", cancellationToken).ConfigureAwait(false) >= position, cancellationToken)
            .ConfigureAwait(false);
    }

    internal async Task<NpgsqlLogSequenceNumber> FlushPositionAsync(CancellationToken cancellationToken) =>
        await AskAsync<NpgsqlLogSequenceNumber>("SELECT pg_current_wal_flush_lsn()", cancellationToken).ConfigureAwait(false);

    internal Task<bool> IsPausedAsync(CancellationToken cancellationToken) =>
        AskAsync<bool>("SELECT pg_is_in_recovery() AND pg_is_wal_replay_paused()", cancellationToken);

    internal async Task BecomePrimaryAsync(IReadOnlyList<LocalNode> next, CancellationToken cancellationToken)
    {
        if (Follows is null)
            throw new InvalidOperationException($"{Name} is no replica, so it cannot be promoted.");

        // Slots come first: from the promotion on, this node may remove the WAL that its followers still need.
        foreach (var follower in next)
            await ReserveSlotAsync(follower, cancellationToken).ConfigureAwait(false);
        await AskAsync<bool>("SELECT pg_promote(wait => false)", cancellationToken).ConfigureAwait(false);
        await WaitAsync("accept writes after its promotion", async () =>
            !await AskAsync<bool>("SELECT pg_is_in_recovery()", cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
        Follows = null;
        _followers = [.. next.Select(node => node.Name)];
        await ConfigureAsync(cancellationToken).ConfigureAwait(false);
    }

    // A slot, and a place among those that a remote_apply commit waits for.
    private async Task AcceptFollowerAsync(LocalNode follower, CancellationToken cancellationToken)
    {
        await ReserveSlotAsync(follower, cancellationToken).ConfigureAwait(false);
        if (_followers.Contains(follower.Name))
            return;
        _followers = [.. _followers, follower.Name];
        await ConfigureAsync(cancellationToken).ConfigureAwait(false);
    }

    internal void ExpectFollowers(IReadOnlyList<LocalNode> nodes) => _followers = [.. nodes.Select(node => node.Name)];

    internal Task ReserveSlotAsync(LocalNode follower, CancellationToken cancellationToken) => AskAsync<object>(
        $"SELECT pg_create_physical_replication_slot(slot, true) FROM (VALUES ('{ServerSettings.SlotOf(follower.Name)}')) AS wanted (slot) "
        + "WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = slot)", cancellationToken);

    internal void WriteSettings() => _folder.WriteSettings(ServerSettings.Compose(
        _cluster.Options.Settings, new ServerRole(Name, Port, Follows?.Port, _applyDelay, _followers)));

    internal void Launch()
    {
        _server?.Dispose();
        _server = _cluster.Launch(_folder);
    }

    internal Task WaitUntilAcceptingAsync(CancellationToken cancellationToken)
    {
        var started = _server!;
        return WaitAsync("accept connections", () => !started.IsRunning
            ? throw new LocalClusterException($"{Name} ended while it started.\n{QuoteLog()}")
            : ValueTask.FromResult(_folder.IsAccepting(started.Id)), cancellationToken);
    }

    /// <summary>One value of one statement, on a connection of its own, so that nothing of it stays open on the server.</summary>
    [SuppressMessage("Security", "CA2100", Justification = "All statements are in this package; the names in them are its own.")]
    internal async Task<T> AskAsync<T>(string sql, CancellationToken cancellationToken)
    {
        var connection = new NpgsqlConnection(ConnectionStringTo("postgres") + ";Pooling=false;Application Name=tidemark-cluster");
        await using (connection.ConfigureAwait(false))
        {
            await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
            using var command = new NpgsqlCommand(sql, connection);
            var answer = await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false);
            return answer is null or DBNull ? default! : (T)answer;
        }
    }

    internal string QuoteLog() => $"Last lines of {_folder.Log}:\n  "
        + string.Join("\n  ", _folder.ReadLog(QuotedLogLines, _server?.LogOffset ?? 0).DefaultIfEmpty("(empty)"));

    /// <summary>Lets go of the server, which the watchdog has stopped.</summary>
    internal async Task EndAsync()
    {
        if (_server is null)
            return;

        // The watchdog knows servers by their postmaster.pid. One that was only just starting had none, and now has lost its folder.
        await _server.SignalAsync("QUIT").ConfigureAwait(false);
        await _server.WhenGone.ConfigureAwait(false);
        _server.Dispose();
    }

    private async Task ConfigureAsync(CancellationToken cancellationToken)
    {
        WriteSettings();
        if (!IsRunning)
            return;

        // The postmaster reads the file, then tells its children, then accepts the next connection. So a new connection
        // that knows a newer load time proves that replay has been told.
        const string loaded = "SELECT pg_conf_load_time()";
        var before = await AskAsync<DateTime>(loaded, cancellationToken).ConfigureAwait(false);
        await _server!.SignalAsync("HUP").ConfigureAwait(false);
        await WaitAsync("read its settings again", async () =>
            await AskAsync<DateTime>(loaded, cancellationToken).ConfigureAwait(false) != before, cancellationToken).ConfigureAwait(false);
    }

    private async Task WaitUntilGoneAsync(string what, CancellationToken cancellationToken)
    {
        try
        {
            await _server!.WhenGone.WaitAsync(_cluster.Options.Timeout, _cluster.Options.TimeProvider, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            throw TooLate(what);
        }
    }

    private async Task WaitAsync(string what, Func<ValueTask<bool>> isDone, CancellationToken cancellationToken)
    {
        var options = _cluster.Options;
        if (!await Poll.UntilAsync(isDone, options.Timeout, options.TimeProvider, cancellationToken).ConfigureAwait(false))
            throw TooLate(what);
    }

    private LocalClusterException TooLate(string what) =>
        new($"{Name} did not {what} within {_cluster.Options.Timeout.TotalSeconds} s (LocalClusterOptions.Timeout).\n{QuoteLog()}");

    private string ConnectionStringTo(string database) => string.Create(CultureInfo.InvariantCulture,
        $"Host=127.0.0.1;Port={Port};Database={database};Username=postgres;SSL Mode=Disable;GSS Encryption Mode=Disable");
}
