namespace Tidemark.Verification;

/// <summary>
/// Writes down what the user of a simulated client does and is shown, and keeps what an oracle would know: where in true history that has
/// brought the user.
/// </summary>
internal sealed class ClientJournal(SimulatedCluster cluster, SimulatedApplication application)
{
    private long? _continuedAt;

    /// <summary>The user, as the history counts them.</summary>
    public int User { get; private set; }

    /// <summary>What the user is bound by, truly.</summary>
    public TruePosition Position { get; private set; }

    /// <summary>The library told the user of a loss.</summary>
    public bool IsReported { get; private set; }

    /// <summary>When the user's last write was acknowledged, in ticks of the world; <see langword="null"/>: there is none.</summary>
    public long? WroteAt { get; private set; }

    /// <summary>Another user begins.</summary>
    public void Begin()
    {
        User = cluster.History.AddClient();
        Position = new TruePosition();
        (WroteAt, _continuedAt, IsReported) = (null, null, false);
    }

    /// <summary>What one session had received binds the next, whatever its token says.</summary>
    public void Receive(GivenToken given)
    {
        cluster.History.HandOver(given.From, User, given.ExportedAt, cluster.Moment());
        Position = Position.Later(given.Position, cluster);
        _continuedAt = cluster.Now;
    }

    /// <summary>Nobody knows whether the write happened, until the server process is gone that may commit it.</summary>
    /// <param name="key">The row.</param>
    /// <param name="value">What was written.</param>
    /// <param name="start">When it was begun.</param>
    /// <param name="abandoned">What the server goes on with; <see langword="null"/>: nothing.</param>
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

    /// <summary>The write of a user is in doubt, and nobody is bound by it.</summary>
    public void InDoubt(int user, int key, long value, long start) =>
        cluster.History.Write(user, start, cluster.Moment(), key, 0, value, HistoryOutcome.Unknown);

    /// <summary>The user has an answer.</summary>
    /// <param name="rows">What was shown.</param>
    /// <param name="start">When it was asked for.</param>
    /// <param name="level">What was asked for.</param>
    /// <param name="isVerified">
    /// The library sent it to the primary, and is to know of every loss there before it believes the connection.
    /// </param>
    /// <param name="isHeld">It was read on a connection that was opened before and is held.</param>
    public void Answered(ReadAnswer rows, long start, Consistency level, bool isVerified, bool isHeld = false)
    {
        Excuse(isVerified);
        var end = cluster.Moment();
        var demands = level.Demands;
        var asked = demands.HasFlag(ConsistencyDemands.Primary) ? ReadGuarantees.Session
            : (demands.HasFlag(ConsistencyDemands.Written) ? ReadGuarantees.ReadYourWrites : 0) | (demands.HasFlag(ConsistencyDemands.Seen)
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

    /// <summary>The user's write was acknowledged.</summary>
    public void Acknowledged(WriteAnswer answer, long value, long start)
    {
        Acknowledged(User, answer, value, start);
        Wrote(answer);
    }

    /// <summary>The user is bound by the write.</summary>
    public void Wrote(WriteAnswer answer)
    {
        Position = Position.After(answer.Branch, answer.Commit.End, cluster);
        WroteAt = cluster.Now;
    }

    /// <summary>The write of a user was acknowledged.</summary>
    public void Acknowledged(int user, WriteAnswer answer, long value, long start)
    {
        var end = cluster.Moment();
        cluster.History.Write(user, start, end, answer.Commit.Key, answer.Commit.Version, value, HistoryOutcome.Acknowledged);
        cluster.Counts.Operations++;
        cluster.Mix(end);
        cluster.Mix(value);
        if (cluster.Traces)
            cluster.Tell(
            $"c{user} writes k{answer.Commit.Key} v{answer.Commit.Version} at {answer.Commit.End:X} on timeline {answer.Branch.Timeline}");
    }

    /// <summary>Something failed that reads.</summary>
    /// <param name="what">What it was.</param>
    /// <param name="failure">How it failed.</param>
    /// <param name="cuts">
    /// How many of its connections the network ended. The library tries a node twice: after that a read may fail.
    /// </param>
    public void Failed(string what, Exception failure, int cuts = 0)
    {
        cluster.Counts.FailedReads++;
        if (cluster.Traces) cluster.Tell($"c{User}: {what} failed: {failure.Message}");
        if (failure is RoutingException && cuts < 2 && cluster.Options.Arm == RoutingArm.Tidemark
            && cluster.PrimaryIsWellSince(TimeSpan.FromSeconds(2.5)) && application.IsOld(TimeSpan.FromSeconds(2.5))
            && application.Source.Cluster.Monitor.Snapshot.RivalIdentifier == 0)
            cluster.Counts.Break($"no node for a {what}, though the primary is well: {failure.Message}");
    }

    /// <summary>The library tells of a loss.</summary>
    public void Lost(LostWrite lost)
    {
        if (!cluster.HasForked && cluster.Fault == PlantedFault.None)
            cluster.Counts.Break($"a loss was reported though history never broke: {lost}");
        IsReported = true;
        ReportedElsewhere();
        if (cluster.Traces) cluster.Tell($"c{User} is told: {lost}");
    }

    /// <summary>The user knows of a loss that another session was told of, or that is beyond what is promised.</summary>
    public void ReportedElsewhere()
    {
        cluster.History.LossReported(User, cluster.Moment());
        Position = Position.Reported(cluster);
    }

    /// <summary>
    /// A standby that history went on without serves reads that need not include anything while nothing shows that it was left behind
    /// (docs/guarantees.md). What it shows then is lost already.
    /// </summary>
    private void ExcuseDead(ReadAnswer rows)
    {
        if (!cluster.Current.Contains(rows.Branch, rows.ShownTo)) ReportedElsewhere();
    }

    /// <summary>
    /// A replica that is ahead of a primary whose storage was rolled back serves until its process has asked the primary since, after the
    /// replica: a limit that the guarantees name (docs/guarantees.md). It holds for positions that another process has learned meanwhile
    /// too.
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
    /// Two servers answer to the name of the node, and the process has not detected that yet, or a pooler hides which of them answers: what
    /// one of them reports is taken for true of the other (docs/guarantees.md).
    /// </summary>
    private bool IsBehindSharedName(ReadAnswer rows) =>
        cluster.NodeOf(rows.Server) is { IsBalanced: true } node
        && (cluster.Shape.IsPooled || !application.Source.Cluster.Monitor.Snapshot.Nodes[node.Index].HasSeveralServers);

    /// <summary>Rows for a trace.</summary>
    public static string Text(ReadAnswer rows) => string.Join(", ", rows.Rows.Select(r => $"k{r.Key} v{r.Version}"));

    /// <summary>
    /// What a crash had lost on the same timeline before its token came, or, where nothing is witnessed, before the monitor could notice,
    /// is beyond what is promised (docs/guarantees.md): the checker is to count it as told.
    /// </summary>
    private void Excuse(bool isVerified)
    {
        var isOld = _continuedAt is { } at && Position.WasLostBefore(at, cluster);
        if (isOld || (!isVerified && Position.WasLostUnnoticed(application.Source.Cluster.Monitor.Snapshot, cluster))) ReportedElsewhere();
    }
}
