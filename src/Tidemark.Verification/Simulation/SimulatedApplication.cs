using Npgsql;
using NpgsqlTypes;

namespace Tidemark.Verification;

/// <summary>
/// One process of an application: the real library with its monitor, router, sessions and tokens, on simulated connections. It can be
/// killed at any time. Its operations then end without a response.
/// </summary>
internal sealed class SimulatedApplication : IDisposable
{
    private static readonly WalPages Pages = new(8192, 16 * 1024 * 1024);
    private static readonly TimeSpan NetworkGivesUp = TimeSpan.FromSeconds(1);

    private readonly SimulatedCluster _cluster;
    private readonly List<SimulatedConnection>[] _idle;
    private readonly MonitorLink[] _links;
    private readonly long _startedAt;
    private ulong _firstIdentifier;

    public SimulatedApplication(SimulatedCluster cluster, string name)
    {
        (_cluster, Name) = (cluster, name);
        _startedAt = cluster.Now;
        Clock = new ApplicationClock(cluster.Time);
        _idle = [.. cluster.Nodes.Select(_ => new List<SimulatedConnection>())];
        _links = [.. cluster.Nodes.Select(_ => new MonitorLink())];
        var builder = new TidemarkDataSourceBuilder
        {
            TimeProvider = Clock,
            ProbeNodes = QueryAsync,
            QueryBackends = QueryBackendsAsync,
            QueryTransactions = QueryTransactionsAsync,
            Seed = cluster.Random.NextInt64(),
            Resumption = TaskCreationOptions.None,
        };
        foreach (var node in cluster.Nodes) builder.AddNode(node.Name, $"Host={node.Name};Username=simulation;Database=simulation");
        cluster.Shape.Configure(builder.Options, cluster.Random);
        Source = builder.Build();
        Source.WriteLost += (_, lost) => LossListener.Report(lost);
    }

    public string Name { get; }

    public ApplicationClock Clock { get; }

    public TidemarkDataSource Source { get; }

    public bool IsOver { get; private set; }

    /// <summary>The writes that its sessions have recorded under keys. The process keeps them in memory.</summary>
    public List<WriteUnderKey> Noted { get; } = [];

    /// <summary>Whether the process has run at least this long, and so had the time to observe its nodes.</summary>
    public bool IsOld(TimeSpan age) => _cluster.Now - _startedAt >= age.Ticks;

    /// <summary>Whether the process has observed that history continued on the timeline.</summary>
    public bool HasObserved(uint timeline) => IsOver || Source.Cluster.Monitor.Snapshot.LatestTimeline >= timeline;

    /// <summary>Whether two responses of the server have shown the process that the server has replayed more than a position.</summary>
    public bool HasObserved(SimulatedServer server, ulong position) =>
        IsOver || Source.Cluster.Monitor.Snapshot.Nodes[_cluster.NodeOf(server).Index] is { ReportedRole: ReportedRole.Replica } node
            && node.Epoch == _cluster.EpochOf(server) && (ulong)node.Earlier.Lsn > position && (ulong)node.Probed.Lsn > position;

    /// <summary>Ends the process as SIGKILL does.</summary>
    public void Kill()
    {
        IsOver = true;
        Source.Cluster.Monitor.Stop();
    }

    /// <summary>Completes when every node has been probed once.</summary>
    public async Task WarmUpAsync()
    {
        // If several callers await one task, not all continue on the thread that completes it. So each caller polls.
        while (!IsOver && !Source.Cluster.Monitor.Snapshot.IsComplete)
            await _cluster.PassAsync(TimeSpan.FromMilliseconds(1)).ConfigureAwait(false);
    }

    /// <summary>Delays by one network trip.</summary>
    public async Task TravelAsync()
    {
        await _cluster.PassAsync(_cluster.Shape.TravelTime(_cluster.Random)).ConfigureAwait(false);
        while (StarvedUntil > _cluster.Now && !IsOver)
            await _cluster.PassAsync(TimeSpan.FromTicks(StarvedUntil - _cluster.Now)).ConfigureAwait(false);
        if (IsOver) throw new ApplicationEndedException();
    }

    /// <summary>Until this time, callers wait for a thread. The monitor has a thread of its own.</summary>
    public long StarvedUntil { get; set; }

    /// <summary>Delays until the network reports a timeout.</summary>
    public async Task HangAsync()
    {
        await _cluster.PassAsync(NetworkGivesUp).ConfigureAwait(false);
        if (IsOver) throw new ApplicationEndedException();
    }

    /// <summary>Whether the connection that waits for a response is lost now, while the server continues.</summary>
    public bool LosesConnection => !_cluster.IsQuiet && _cluster.Shape.FaultInterval is not null && _cluster.Chance(0.003);

    /// <summary>Like <see cref="LosesConnection"/>, with a high probability.</summary>
    public bool LosesConnectionOften => !_cluster.IsQuiet && _cluster.Chance(0.2);

    /// <summary>Continues a statement whose result no client will receive.</summary>
    /// <returns>
    /// A task that ends with the statement. Only one caller may await it: of several, not all would continue within the thread that
    /// completes it.
    /// </returns>
    public Task Leave(Task answering)
    {
        var left = ForgetAsync(answering);
        _cluster.Counts.Watch(left);
        return left;
    }

    private static async Task ForgetAsync(Task answering) => await answering.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    private Task<int[]> QueryBackendsAsync(int index, int[] backends) =>
        QueryAsync(index, backends, (server, backend) => !server.Busy.Contains(backend));

    private Task<string[]> QueryTransactionsAsync(int index, string[] transactions) =>
        QueryAsync(index, transactions, (server, transaction) => !server.OpenTransactions.Contains(transaction));

    private async Task<T[]> QueryAsync<T>(int index, T[] about, Func<SimulatedServer, T, bool> isOver)
    {
        SimulatedConnection? connection = null;
        try
        {
            connection = await OpenAsync(index).ConfigureAwait(false);
            return await connection.QueryAsync(() => new ValueTask<T[]>([.. about.Where(a => isOver(connection.Server, a))]))
                .ConfigureAwait(false);
        }
        catch (NpgsqlException)
        {
            // As in the monitor, a node that does not respond returns no names.
            return [];
        }
        finally
        {
            if (connection is not null) Return(connection);
        }
    }

    /// <summary>
    /// Opens a connection to a node, from its pool if one is idle there. A dead connection is detected only when it is used.
    /// </summary>
    public async Task<SimulatedConnection> OpenAsync(int index)
    {
        if (_cluster.Has(PlantedFault.NodeListChangedUnderDecision) && _cluster.Chance(0.1)) index = (index + 1) % _cluster.Nodes.Count;
        var node = _cluster.Nodes[index];
        if (node.IsForeign)
        {
            // Until most nodes have responded, the first response determines the cluster, unless the settings name it. docs/guarantees.md
            // states this.
            if (KnowsCluster) _cluster.Counts.Break($"a connection was opened to '{node.Name}', which belongs to another cluster");
            throw SimulatedConnection.Refused();
        }

        var server = AnyServer(node);
        var idle = _idle[index];
        if (idle.Count > 0)
        {
            var connection = idle[^1];
            idle.RemoveAt(idle.Count - 1);
            return connection;
        }

        await TravelAsync().ConfigureAwait(false);
        if (!server.IsReachable)
        {
            await HangAsync().ConfigureAwait(false);
            throw SimulatedConnection.TimedOut();
        }

        if (!server.IsUp) throw SimulatedConnection.Refused();
        if (server.IsFull) throw SimulatedConnection.TooMany();
        await TravelAsync().ConfigureAwait(false);
        return new SimulatedConnection(this, index, server, new object(), _cluster.Shape.IsPooled);
    }

    /// <summary>Whether the settings name the cluster, or most of the nodes have responded as members of it.</summary>
    public bool KnowsCluster =>
        _cluster.Shape.NamesCluster
        || Source.Cluster.Monitor.Snapshot.Nodes.Count(n => n.ProbeNumber > 0
            && !_cluster.Nodes[n.Index].IsForeign) * 2 > _cluster.Nodes.Count;

    /// <summary>Returns a server to which a connection to the node leads.</summary>
    public SimulatedServer AnyServer(int index) => AnyServer(_cluster.Nodes[index]);

    private SimulatedServer AnyServer(SimulatedNode node) =>
        node.IsBalanced ? node.Servers[_cluster.Random.Next(node.Servers.Count)] : node.Servers[0];

    public void Return(SimulatedConnection connection)
    {
        if (!connection.IsBroken && !IsOver) _idle[connection.NodeIndex].Add(connection);
    }

    /// <summary>Number of leases that the library holds while no operation is in progress, which were not returned.</summary>
    public int OpenLeases => Source.Cluster.ReadsInFlight;

    public void Dispose() => Source.Dispose();

    private async Task<ProbeAnswer> QueryAsync(int index, CancellationToken cancellationToken)
    {
        var (node, link) = (_cluster.Nodes[index], _links[index]);
        if (link.Epoch == 0 || _cluster.Shape.IsPooled) link.Server = AnyServer(node);
        var server = link.Server!;
        await _cluster.PassAsync(_cluster.IsQuiet ? _cluster.Shape.TravelTime(_cluster.Random) : _cluster.Shape.ProbeDelay(_cluster.Random))
            .ConfigureAwait(false);
        if (!server.IsReachable)
        {
            await _cluster.PassAsync(NetworkGivesUp).ConfigureAwait(false);
            link.Epoch = 0;
            return ProbeAnswer.Failed("no response in time");
        }

        if (_cluster.Shape.IsPooled && link.Epoch != 0) link.Epoch = server.Epoch;
        if (!server.IsUp || (link.Epoch != 0 && link.Epoch != server.Epoch))
        {
            link.Epoch = 0;
            return ProbeAnswer.Failed(server.IsUp ? "the connection was closed" : "connection refused");
        }

        if (link.Epoch == 0 && server.IsFull) return ProbeAnswer.Failed("53300: too many connections") with { IsRefusal = true };
        if (link.Epoch == 0) Connect(link, server);
        var answer = Answer(server, link);
        await _cluster.PassAsync(_cluster.IsQuiet ? _cluster.Shape.TravelTime(_cluster.Random) : _cluster.Shape.ProbeDelay(_cluster.Random))
            .ConfigureAwait(false);
        if (!server.IsUp || server.Epoch != link.Epoch || IsOver)
        {
            link.Epoch = 0;
            return ProbeAnswer.Failed("the connection was closed");
        }

        // As the library does with its pools.
        if (Source.Cluster.Monitor.Snapshot.Nodes[index].Epoch is { IsUnknown: false } known && known != answer.Epoch) _idle[index].Clear();
        return answer;
    }

    private static void Connect(MonitorLink link, SimulatedServer server)
    {
        link.Epoch = server.Epoch;
        link.Number++;
    }

    private ProbeAnswer Answer(SimulatedServer server, MonitorLink link)
    {
        var now = _cluster.Now;
        var isHidden = _cluster.Shape.HidesTimelines;
        var timeline = server.IsPrimary || (server.IsStreaming && !isHidden) ? _cluster.TimelineOf(server) : 0;
        var answer = new ProbeAnswer
        {
            Epoch = _cluster.EpochOf(server),
            Connection = link.Number,
            LeastTimeline = SimulatedStatements.LeastTimelineOf(_cluster, server),
            IsInRecovery = !server.IsPrimary,
            SystemIdentifier = IdentifierOf(server),
            Timeline = timeline,
            SeesTimeline = !isHidden,
            IsPooled = _cluster.Shape.IsPooled,
            Lsn = _cluster.Lsn(server.IsPrimary ? server.Flushed : server.Replay.ReplayedAt(now)),
            InsertLsn = server.IsPrimary ? Pages.BeforeHeader(_cluster.Lsn(_cluster.InsertOf(server))) : default,
            Pages = Pages,
            ServerVersion = 17,
            Forks = server.IsPrimary && _cluster.Shape.ReportsForks && link.HistoryRead != timeline
                ? _cluster.ForksOf(server.Branch) : null,
        };
        if (server.IsPrimary) link.HistoryRead = timeline;
        return Distort(answer, server, link, now);
    }

    private ulong IdentifierOf(SimulatedServer server)
    {
        var identifier = server.Index < _cluster.Servers.Count ? SimulatedCluster.SystemIdentifier : SimulatedCluster.ForeignIdentifier;
        if (_firstIdentifier == 0) _firstIdentifier = identifier;
        return _cluster.Has(PlantedFault.IdentityPinnedByForeigner) && _firstIdentifier == SimulatedCluster.ForeignIdentifier
            ? _firstIdentifier : identifier;
    }

    /// <summary>Alters a response to what a library with a planted fault would read.</summary>
    private ProbeAnswer Distort(ProbeAnswer answer, SimulatedServer server, MonitorLink link, long now)
    {
        var previous = link.Previous ?? answer;
        link.Previous = answer;
        var primary = _cluster.Primary;
        var ahead = primary is null ? answer.Lsn : _cluster.Lsn(primary.Flushed);
        var current = primary is null ? answer.Timeline : primary.Branch.Timeline;
        return _cluster.Fault switch
        {
            PlantedFault.SampleBeforeEvent when server.IsPrimary && previous.Epoch == answer.Epoch =>
                answer with { Lsn = previous.Lsn, InsertLsn = previous.InsertLsn },
            PlantedFault.StalenessTimedAtReceipt when server.IsPrimary && previous.Epoch == answer.Epoch =>
                answer with { Lsn = previous.Lsn },
            PlantedFault.NullLagMeansZero when !server.IsPrimary && !server.IsStreaming => answer with { Lsn = ahead, Timeline = current },
            PlantedFault.ReceivedMeansCaughtUp when !server.IsPrimary && server.Replay.ReceivedAt(now) == server.Replay.ReplayedAt(now) =>
                answer with { Lsn = ahead },
            PlantedFault.NewNodeMeansHealthy when !server.IsPrimary && ReferenceEquals(previous, answer) =>
                answer with { Lsn = ahead, Timeline = current },
            PlantedFault.RoleFromFrozenPosition when server.IsPrimary && server.Branch.Timeline > 1 =>
                answer with { IsInRecovery = true, Lsn = _cluster.Lsn(server.Replay.ReplayedAt(now)), InsertLsn = default },
            PlantedFault.DivergedReplicaServes when server.IsPrimary => answer with { InsertLsn = FarthestOf(answer.InsertLsn, now) },
            PlantedFault.DeadTimelineAccepted when !server.IsPrimary => answer with { Timeline = current },
            _ => answer,
        };
    }

    private NpgsqlLogSequenceNumber FarthestOf(NpgsqlLogSequenceNumber insert, long now)
    {
        foreach (var standby in _cluster.Servers.Where(s => !s.IsPrimary))
            if (_cluster.Lsn(standby.Replay.ReplayedAt(now)) is var replayed && replayed > insert) insert = replayed;
        return insert;
    }

    /// <summary>The monitor's connection to one node.</summary>
    private sealed class MonitorLink
    {
        public SimulatedServer? Server;
        public int Epoch;
        public long Number;
        public uint HistoryRead = 1;
        public ProbeAnswer? Previous;
    }
}
#pragma warning restore CA1032, CA1064
