namespace Tidemark.Verification;

/// <summary>
/// Records the operations of the user of a simulated client and their results. Also keeps what only an oracle can know: the position in the
/// true history that the user has reached.
/// </summary>
internal sealed class ClientJournal(SimulatedCluster cluster, SimulatedApplication application)
{
    private long? _continuedAt;

    /// <summary>The number of the user in the history.</summary>
    public int User { get; private set; }

    /// <summary>The true position that binds the user.</summary>
    public TruePosition Position { get; private set; }

    /// <summary>Whether the library reported a loss to the user.</summary>
    public bool IsReported { get; private set; }

    /// <summary>
    /// Time at which the user's last write was acknowledged, in ticks of the world, or <see langword="null"/> if none exists.
    /// </summary>
    public long? WroteAt { get; private set; }

    /// <summary>Starts a new user.</summary>
    public void Begin()
    {
        User = cluster.History.AddClient();
        Position = new TruePosition();
        (WroteAt, _continuedAt, IsReported) = (null, null, false);
    }

    /// <summary>Binds the user to what another session had received, regardless of the contents of its token.</summary>
    public void Receive(GivenToken given)
    {
        cluster.History.HandOver(given.From, User, given.ExportedAt, cluster.Moment());
        Position = Position.Later(given.Position, cluster);
        _continuedAt = cluster.Now;
    }

    /// <summary>Records a write that is in doubt until the server process that may commit it has ended.</summary>
    /// <param name="key">Key of the row.</param>
    /// <param name="value">The value that was written.</param>
    /// <param name="start">Time at which the write began.</param>
    /// <param name="abandoned">The work that continues on the server, or <see langword="null"/> if none exists.</param>
    public void InDoubt(int key, long value, long start, Task? abandoned)
    {
        InDoubt(User, key, value, start);
        if (abandoned is null) cluster.History.Settle(value, cluster.Moment());
        else cluster.Counts.Watch(SettleAsync(value, abandoned));
    }

    private async Task SettleAsync(long value, Task abandoned)
    {
        await abandoned.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cluster.History.Settle(value, cluster.Moment());
    }

    /// <summary>Records a write of a user that is in doubt and binds no session.</summary>
    public void InDoubt(int user, int key, long value, long start) =>
        cluster.History.Write(user, start, cluster.Moment(), key, 0, value, HistoryOutcome.Unknown);

    /// <summary>Records the result of a read.</summary>
    /// <param name="rows">The rows that were shown.</param>
    /// <param name="start">Time at which the read was sent.</param>
    /// <param name="level">The consistency level of the read.</param>
    /// <param name="isVerified">
    /// Whether the library sent the read to the primary, and must detect every loss there before it trusts the connection.
    /// </param>
    /// <param name="isHeld">Whether the rows were read on a connection that had been opened before and is held.</param>
    public void Answered(ReadAnswer rows, long start, Consistency level, bool isVerified, bool isHeld = false)
    {
        Excuse(isVerified);
        var end = cluster.Moment();
        var demands = level.Demands;
        var asked = demands.HasFlag(ConsistencyDemands.Primary) ? ReadGuarantees.Session
            : (demands.HasFlag(ConsistencyDemands.Written)
                ? ReadGuarantees.ReadYourWrites : 0) | (demands.HasFlag(ConsistencyDemands.Observed)
                ? ReadGuarantees.MonotonicReads : 0);
        var maxStaleness = level.MaxStaleness + cluster.Shape.FlushDelay;
        if (IsDivergedUnnoticed(rows, start)) (asked, maxStaleness) = (0, null);
        cluster.History.Read(User, start, end, rows.Server.Index, rows.OnPrimary, rows.Rows, asked, maxStaleness);
        Position = Position.After(rows.Branch, rows.ShownTo, cluster);
        if (isHeld || cluster.Shape.HidesTimelines || cluster.Shape.RollsBackStorage || IsBehindSharedName(rows)) ExcuseDead(rows);
        cluster.Counts.Operations++;
        cluster.Counts.Reads++;
        cluster.Counts.ReadsByNode[rows.Server.Name] = cluster.Counts.ReadsByNode.GetValueOrDefault(rows.Server.Name) + 1;
        cluster.Mix(end);
        cluster.Mix(rows.Server.Index);
        foreach (var row in rows.Rows) cluster.Mix(row.Value);
    }

    /// <summary>Records that the user's write was acknowledged.</summary>
    public void Acknowledged(WriteAnswer answer, long value, long start)
    {
        Acknowledged(User, answer, value, start);
        Wrote(answer);
    }

    /// <summary>Binds the user to the write.</summary>
    public void Wrote(WriteAnswer answer)
    {
        Position = Position.After(answer.Branch, answer.Commit.End, cluster);
        WroteAt = cluster.Now;
    }

    /// <summary>Records that a write of a user was acknowledged.</summary>
    public void Acknowledged(int user, WriteAnswer answer, long value, long start)
    {
        var end = cluster.Moment();
        cluster.History.Write(user, start, end, answer.Commit.Key, answer.Commit.Version, value, HistoryOutcome.Acknowledged);
        cluster.Counts.Operations++;
        cluster.Mix(end);
        cluster.Mix(value);
        if (cluster.Traces)
            cluster.Trace(
            $"c{user} writes k{answer.Commit.Key} v{answer.Commit.Version} at {answer.Commit.End:X} on timeline {answer.Branch.Timeline}");
    }

    /// <summary>Records a failed operation that reads.</summary>
    /// <param name="what">Description of the operation.</param>
    /// <param name="failure">The failure.</param>
    /// <param name="cuts">
    /// Number of its connections that the network ended. The library tries a node twice, so the read may fail after that.
    /// </param>
    public void Failed(string what, Exception failure, int cuts = 0)
    {
        cluster.Counts.FailedReads++;
        if (cluster.Traces) cluster.Trace($"c{User}: {what} failed: {failure.Message}");
        if (failure is RoutingException && cuts < 2 && cluster.Options.Arm == RoutingArm.Tidemark
            && cluster.PrimaryIsWellSince(TimeSpan.FromSeconds(2.5)) && application.IsOld(TimeSpan.FromSeconds(2.5))
            && application.Source.Cluster.Monitor.Snapshot.RivalIdentifier == 0)
            cluster.Counts.Break($"no node was found for a {what} although the primary is healthy: {failure.Message}");
    }

    /// <summary>Records a loss that the library reported.</summary>
    public void Lost(LostWrite lost)
    {
        if (!cluster.HasForked && cluster.Fault == PlantedFault.None)
            cluster.Counts.Break($"a loss was reported although history has never forked: {lost}");
        IsReported = true;
        ReportedElsewhere();
        if (cluster.Traces) cluster.Trace($"c{User} receives a loss report: {lost}");
    }

    /// <summary>Records a loss that was reported to another session, or that the guarantees do not cover.</summary>
    public void ReportedElsewhere()
    {
        cluster.History.LossReported(User, cluster.Moment());
        Position = Position.Reported(cluster);
    }

    /// <summary>
    /// While nothing shows that a standby was left behind by a fork, it serves reads that need not include anything (docs/guarantees.md).
    /// What it shows then is already lost.
    /// </summary>
    private void ExcuseDead(ReadAnswer rows)
    {
        if (!cluster.Current.Contains(rows.Branch, rows.ShownTo)) ReportedElsewhere();
    }

    /// <summary>
    /// A replica that is ahead of a primary whose storage was rolled back serves reads until its process has queried the primary after the
    /// replica. The guarantees name this limit (docs/guarantees.md). It also applies to positions that another process has observed
    /// meanwhile.
    /// </summary>
    private bool IsDivergedUnnoticed(ReadAnswer rows, long start)
    {
        if (rows.OnPrimary || !cluster.Shape.RollsBackStorage) return false;
        var known = application.Source.Cluster.Monitor.Snapshot;
        var node = known.Nodes[cluster.NodeOf(rows.Server).Index];
        var isCompared = known.Primary is { Failure: null } primary && SimulatedCluster.MomentAt(primary.ReceivedAt) < start
            && (node.Probed.At <= primary.SampledAt || (node.Earlier.At != 0 && node.Earlier.At <= primary.SampledAt));
        var shown = new TruePosition().After(rows.Branch, rows.Server.Replay.ReplayedAt(cluster.Now), cluster);
        return shown.WasLostBefore(cluster.Now, cluster) && (!isCompared || shown.WasLostUnnoticed(known, cluster));
    }

    /// <summary>
    /// Two servers share the name of the node, and the process has not detected that yet, or a pooler hides which of them responds. The
    /// report of one is then applied to the other (docs/guarantees.md).
    /// </summary>
    private bool IsBehindSharedName(ReadAnswer rows) =>
        cluster.NodeOf(rows.Server) is { IsBalanced: true } node
        && (cluster.Shape.IsPooled || !application.Source.Cluster.Monitor.Snapshot.Nodes[node.Index].HasSeveralServers);

    /// <summary>Formats rows for the trace.</summary>
    public static string Text(ReadAnswer rows) => string.Join(", ", rows.Rows.Select(r => $"k{r.Key} v{r.Version}"));

    /// <summary>
    /// The guarantees do not cover what a crash had lost on the same timeline before the session's token arrived. If connections are not
    /// verified, they also do not cover what was lost before the monitor could detect it (docs/guarantees.md). The checker must count such
    /// a loss as reported.
    /// </summary>
    private void Excuse(bool isVerified)
    {
        var isOld = _continuedAt is { } at && Position.WasLostBefore(at, cluster);
        if (isOld || (!isVerified && Position.WasLostUnnoticed(application.Source.Cluster.Monitor.Snapshot, cluster))) ReportedElsewhere();
    }
}
