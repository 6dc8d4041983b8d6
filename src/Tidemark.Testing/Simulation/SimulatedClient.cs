using Npgsql;

namespace Tidemark.Testing;

/// <summary>
/// A user after another at one place of an application: each has a session, writes, reads what was written, hands tokens on. Records what each did and was
/// shown, and what an oracle would have known.
/// </summary>
internal sealed class SimulatedClient(SimulatedCluster cluster, SimulatedApplication application)
{
    private static readonly RoutingRules ArmRules = new([], [], 0);

    private readonly ArmRouter _router = new(cluster.Options.Arm, cluster.Fault, cluster.Random);
    private ConsistencySession _session = null!;
    private TruePlace _place;
    private long? _wroteAt;
    private long? _continuedAt;
    private int _user;

    /// <summary>What it is at, for whoever asks why it does not end.</summary>
    public string Doing { get; private set; } = "starting";

    private TidemarkDataSource Source => application.Source;

    private bool IsArm => cluster.Options.Arm != RoutingArm.Tidemark || cluster.Fault is PlantedFault.FixedWindow or PlantedFault.UnstickAtFirstReplica;

    /// <summary>Works until the world ends or the process is killed.</summary>
    public async Task RunAsync()
    {
        try
        {
            await application.WarmUpAsync().ConfigureAwait(false);
            while (!cluster.IsOver && !application.IsOver) await ServeUserAsync().ConfigureAwait(false);
        }
        catch (ApplicationEndedException)
        {
        }
        catch (ObjectDisposedException) when (application.IsOver)
        {
        }
    }

    private async Task ServeUserAsync()
    {
        if (!IsArm && cluster.Shape.Profile == LagProfile.Mixed && cluster.Chance(0.15))
        {
            await new SimulatedBrowser(cluster, application).RunAsync().ConfigureAwait(false);
            return;
        }

        _user = cluster.History.AddClient();
        _place = new TruePlace();
        (_wroteAt, _continuedAt) = (null, null);
        using var session = Source.BeginSession();
        _session = session;
        if (cluster.Tokens.Take(cluster) is { } given)
        {
            Receive(given);
            Continue(given);
        }

        for (var i = 0; i < cluster.Shape.SessionLength && !cluster.IsOver; i++)
        {
            await cluster.PassAsync(TimeSpan.FromSeconds(Distribution.Exponential(cluster.Random, cluster.Shape.ThinkTime.TotalSeconds))).ConfigureAwait(false);
            if (application.IsOver || cluster.IsOver) return;
            await DoSomethingAsync().ConfigureAwait(false);
        }

        if (!IsArm && cluster.Chance(0.5)) await HandOverAsync().ConfigureAwait(false);
    }

    private async Task DoSomethingAsync()
    {
        var kind = cluster.Random.NextDouble();
        var writes = cluster.IsQuiet ? 0 : cluster.Shape.WriteShare;
        var isMixed = cluster.Shape.Profile == LagProfile.Mixed && !IsArm;
        var (doing, what) = kind < writes ? ("write", WriteAsync())
            : !isMixed || cluster.IsQuiet || kind > 0.95 ? ("read", ReadAsync(Consistency.Session))
            : kind > 0.9 ? ("read on the primary", ReadOnPrimaryAsync(conflicts: false))
            : kind > 0.87 ? ("conflict", ReadOnPrimaryAsync(conflicts: true))
            : kind > 0.85 ? ("hand-over", HandOverAsync())
            : kind > 0.83 ? ("write in a read", WriteInReadAsync())
            : ("read", ReadAsync(AnyLevel()));
        Doing = $"c{_user} in a {doing} since {cluster.Now / TimeSpan.TicksPerMillisecond} ms";
        await what.ConfigureAwait(false);
        Doing = $"c{_user} idle";
    }

    private Consistency AnyLevel() => cluster.Random.Next(10) switch
    {
        0 => Consistency.Eventual,
        1 => Consistency.ReadYourWrites,
        2 => Consistency.MonotonicReads,
        3 => Consistency.BoundedStaleness(cluster.Shape.ProbeInterval + TimeSpan.FromSeconds(cluster.Random.NextDouble())),
        4 => Consistency.Strong,
        _ => Consistency.Session,
    };

    private int[] SomeKeys()
    {
        var keys = new HashSet<int>();
        for (var i = cluster.Random.Next(1, 5); i > 0; i--) keys.Add(cluster.Random.Next(cluster.Shape.Keys));
        return [.. keys.Order()];
    }

    private async Task ReadAsync(Consistency level)
    {
        var keys = SomeKeys();
        var start = cluster.Moment();
        var isCounted = level == Consistency.Session;
        var could = isCounted && _place.IsOnReplica(cluster);
        var read = new SimulatedRead(application, cluster, _session, keys);
        using var told = LossTeller.Tell(OnLoss);
        try
        {
            await (IsArm ? ReadByArmAsync(read) : ReadAsync(read, level)).ConfigureAwait(false);
        }
        catch (NpgsqlException e)
        {
            Failed("read", e);
            return;
        }
        finally
        {
            read.Close();
        }

        Answered(read.Rows!, start, level, isWitnessed: !IsArm && read.Rows!.OnPrimary);
        if (cluster.Traces) cluster.Tell($"c{_user} reads {Text(read.Rows!)} at {level} from {read.Decision}");
        if (!isCounted) return;

        // What is in doubt keeps to the primary until the server process that may commit it is known to be gone: that is promised, and no loss of share.
        cluster.Counts.Count(read.Rows!.OnPrimary, could, cluster.IsSettled && !_session.IsInDoubt);
    }

    private async Task ReadAsync(SimulatedRead read, Consistency level)
    {
        try
        {
            var attempts = new ReadAttempts(Source.Cluster, _session, Source.Effective(level), onNode: null);
            await ReadLoop.RunAsync(Source.Horizons, attempts, read, isAsync: true, CancellationToken.None).ConfigureAwait(false);
        }
        catch (RequirementDroppedException)
        {
            if (read.Writes) throw;
            var attempts = new ReadAttempts(Source.Cluster, session: null, Consistency.Eventual, onNode: null);
            await ReadLoop.RunAsync(Source.Horizons, attempts, read, isAsync: true, CancellationToken.None).ConfigureAwait(false);
        }
    }

    private async Task ReadByArmAsync(SimulatedRead read)
    {
        var snapshot = Source.Cluster.Monitor.Snapshot;
        var node = _router.Choose(snapshot, _wroteAt is { } at ? TimeSpan.FromTicks(cluster.Now - at) : null, _session.Written);
        for (var attempt = 0; ; attempt++)
        {
            if (node < 0) throw new RoutingException();
            try
            {
                await read.OpenAsync(new RouteDecision(snapshot, default, ArmRules, 0, node, RouteReason.AnyReplica), false, true, CancellationToken.None).ConfigureAwait(false);
                if (await read.SendAsync(null, true, CancellationToken.None).ConfigureAwait(false) is not null) return;
            }
            catch (NpgsqlException) when (attempt < cluster.Servers.Count)
            {
                await read.CloseAsync(isAsync: true).ConfigureAwait(false);
                node = (node + 1) % cluster.Servers.Count;
            }
        }
    }

    private async Task ReadOnPrimaryAsync(bool conflicts)
    {
        var keys = SomeKeys();
        var start = cluster.Moment();
        if (await OpenOnPrimaryAsync(forReading: !conflicts).ConfigureAwait(false) is not { } opened) return;
        var (connection, lease) = opened;
        try
        {
            var rows = await connection.AskAsync(() => new ValueTask<ReadAnswer>(SimulatedStatements.Read(cluster, connection.Server, keys))).ConfigureAwait(false);

            // A write that failed has told of another's commit; it is known not to have happened.
            lease.Closed(connection.IsBroken);
            Answered(rows, start, Consistency.Session, isWitnessed: false);
            if (cluster.Traces) cluster.Tell($"c{_user} {(conflicts ? "conflicts with" : "reads")} {Text(rows)} on the primary {connection.Server.Name}");
        }
        catch (NpgsqlException e)
        {
            Failed("read on the primary", e);
        }
        finally
        {
            lease.Closed(connection.IsBroken);
            application.Return(connection);
        }
    }

    private async Task WriteAsync()
    {
        var key = cluster.Random.Next(cluster.Shape.Keys);
        var (value, start, isAsynchronous) = (cluster.NextValue(), cluster.Moment(), cluster.Chance(cluster.Shape.AsynchronousShare));
        var rides = cluster.Shape.Profile != LagProfile.Mixed || cluster.Chance(0.7);
        if (await OpenOnPrimaryAsync(forReading: false).ConfigureAwait(false) is not { } opened) return;
        var (connection, lease) = opened;
        var node = Source.Cluster.Monitor.Snapshot.Nodes[connection.Server.Index];
        var forgets = cluster.Has(PlantedFault.ResolvedOnAnotherTimeline) && _session.BeginWrite();
        try
        {
            var answer = await connection.AskAsync(() => SimulatedStatements.WriteAsync(cluster, connection.Server, key, value, isAsynchronous)).ConfigureAwait(false);
            var setting = isAsynchronous && !cluster.Has(PlantedFault.FlushForAsynchronousCommit) ? "off" : "on";
            if (rides && !forgets) lease.Outcome = PositionRide.Read(answer.Timeline, cluster.Lsn(answer.Flushed), cluster.Lsn(answer.Inserted), setting);
            Acknowledged(answer, value, start);
        }
        catch (Exception e) when (e is NpgsqlException or ApplicationEndedException)
        {
            cluster.Counts.FailedWrites++;
            cluster.History.Write(_user, start, cluster.Moment(), key, 0, value, HistoryOutcome.Unknown);
            if (cluster.Traces) cluster.Tell($"c{_user} does not know what became of {value} in k{key}: {e.Message}");
            if (e is ApplicationEndedException) throw;
        }
        finally
        {
            lease.Closed(connection.IsBroken);
            if (forgets) _session.EndWrite(node with { Timeline = 0, Incarnation = Stamp.Unknown, StartedAt = default }, at: null);
            application.Return(connection);
        }
    }

    private async Task WriteInReadAsync()
    {
        var (value, start) = (cluster.NextValue(), cluster.Moment());
        var key = cluster.Random.Next(cluster.Shape.Keys);
        var read = new SimulatedRead(application, cluster, _session, [key], value);
        using var told = LossTeller.Tell(OnLoss);
        try
        {
            await ReadAsync(read, Consistency.Session).ConfigureAwait(false);
            Acknowledged(read.Written!, value, start);
        }
        catch (Exception e) when (e is NpgsqlException or ApplicationEndedException or RequirementDroppedException)
        {
            cluster.History.Write(_user, start, cluster.Moment(), key, 0, value, HistoryOutcome.Unknown);
            Failed("write in a read", e);
            if (e is ApplicationEndedException) throw;
        }
        finally
        {
            read.Close();
        }
    }

    /// <summary>A connection to the primary, as the library opens it; <see langword="null"/>: there is none, and nothing was sent.</summary>
    private async Task<(SimulatedConnection Connection, WriteLease Lease)?> OpenOnPrimaryAsync(bool forReading)
    {
        using var told = LossTeller.Tell(OnLoss);
        SimulatedConnection? connection = null;
        var index = -1;
        try
        {
            index = Source.DecideWrite(_session).NodeIndex;
            connection = await application.OpenAsync(index).ConfigureAwait(false);
            var isForgotten = cluster.Has(PlantedFault.ResolvedOnAnotherTimeline)
                || (forReading && cluster.Has(PlantedFault.PrimaryReadsLeaveNoHorizon)) || cluster.Has(PlantedFault.PrimaryErrorLeavesNoHorizon);
            var lease = Source.Cluster.LeaseWrite(index, isForgotten ? null : _session);
            lease.IsForReading = forReading;
            lease.Opened(isStandby: !connection.Server.IsPrimary, connection.Backend);
            return (connection, lease);
        }
        catch (NpgsqlException e)
        {
            if (connection is not null) application.Return(connection);
            else if (index >= 0) _ = Source.NoPrimary(index, e);
            cluster.Counts.FailedWrites++;
            if (cluster.Traces) cluster.Tell($"c{_user} finds no primary: {e.Message.Split('\n')[0]}");
            return null;
        }
    }

    /// <summary>One request of a browser: a session after the tokens that came with it, a few operations, and the token for the answer.</summary>
    /// <param name="received">The answers that the browser has received.</param>
    /// <param name="sent">The tokens that it sends.</param>
    public async Task<GivenToken> RequestAsync(IReadOnlyList<GivenToken> received, IReadOnlyList<GivenToken> sent)
    {
        _user = cluster.History.AddClient();
        _place = new TruePlace();
        using var session = Source.BeginSession();
        _session = session;
        foreach (var answer in received) Receive(answer);
        foreach (var token in sent) Continue(token);
        for (var i = cluster.Random.Next(1, 4); i > 0; i--) await DoSomethingAsync().ConfigureAwait(false);
        return await CaptureAsync().ConfigureAwait(false);
    }

    private async Task HandOverAsync() => cluster.Tokens.Give(await CaptureAsync().ConfigureAwait(false));

    private async Task<GivenToken> CaptureAsync()
    {
        using var told = LossTeller.Tell(OnLoss);
        var token = await Source.Tokens.CaptureAsync(_session, ConsistencyDemands.Written | ConsistencyDemands.Seen, CancellationToken.None).ConfigureAwait(false);
        if (cluster.Traces) cluster.Tell($"c{_user} hands on a token: written {token.Written}, seen {token.Seen}{(token.IsUnknown ? ", unknown" : "")}");
        return new GivenToken(token.ToString(), _user, cluster.Moment(), _place);
    }

    /// <summary>What one session had received binds the next, whatever its token says.</summary>
    private void Receive(GivenToken given)
    {
        cluster.History.HandOver(given.From, _user, given.ExportedAt, cluster.Moment());
        _place = _place.Later(given.Place, cluster);
        _continuedAt = cluster.Now;
    }

    private void Continue(GivenToken given)
    {
        var token = CausalToken.Parse(given.Text);
        using var told = LossTeller.Tell(OnLoss);
        if (cluster.Has(PlantedFault.BadTokenMeansFresh) && token.ExpiresAt <= application.Clock.GetUtcNow()) return;
        Source.Tokens.Continue(_session, token);
        if (cluster.Traces) cluster.Tell($"c{_user} goes on after c{given.From} in {application.Name}: written {token.Written}, seen {token.Seen}{(token.IsUnknown ? ", unknown" : "")}");
    }

    /// <summary>
    /// What a crash had lost on the same timeline before its token came, or, where nothing is witnessed, before the monitor could notice, is beyond what is
    /// promised (docs/guarantees.md): the checker is to count it as told.
    /// </summary>
    private void Excuse(bool isWitnessed)
    {
        var isOld = _continuedAt is { } at && _place.WasLostBefore(at, cluster);
        if (!isOld && (isWitnessed || !_place.WasLostUnnoticed(Source.Cluster.Monitor.Snapshot, cluster))) return;
        cluster.History.LossReported(_user, cluster.Moment());
        _place = _place.Told(cluster);
    }

    /// <param name="rows">What was shown.</param>
    /// <param name="start">When it was asked for.</param>
    /// <param name="level">What was asked for.</param>
    /// <param name="isWitnessed">The library sent it to the primary, and is to know of every loss there before it believes the connection.</param>
    private void Answered(ReadAnswer rows, long start, Consistency level, bool isWitnessed)
    {
        Excuse(isWitnessed);
        var end = cluster.Moment();
        var demands = level.Demands;
        var asked = demands.HasFlag(ConsistencyDemands.Primary) ? ReadGuarantees.Session
            : (demands.HasFlag(ConsistencyDemands.Written) ? ReadGuarantees.ReadYourWrites : 0) | (demands.HasFlag(ConsistencyDemands.Seen) ? ReadGuarantees.MonotonicReads : 0);
        cluster.History.Read(_user, start, end, rows.Server.Index, rows.OnPrimary, rows.Rows, asked, level.MaxStaleness + cluster.Shape.FlushDelay);
        _place = _place.After(rows.Branch, rows.ShownTo, cluster);
        cluster.Counts.Operations++;
        cluster.Counts.Reads++;
        cluster.Counts.ReadsByNode[rows.Server.Name] = cluster.Counts.ReadsByNode.GetValueOrDefault(rows.Server.Name) + 1;
        cluster.Mix(end);
        cluster.Mix(rows.Server.Index);
        foreach (var row in rows.Rows) cluster.Mix(row.Value);
    }

    private void Acknowledged(WriteAnswer answer, long value, long start)
    {
        var end = cluster.Moment();
        cluster.History.Write(_user, start, end, answer.Commit.Key, answer.Commit.Version, value, HistoryOutcome.Acknowledged);
        _place = _place.After(answer.Branch, answer.Commit.End, cluster);
        _wroteAt = cluster.Now;
        cluster.Counts.Operations++;
        cluster.Mix(end);
        cluster.Mix(value);
        if (cluster.Traces) cluster.Tell($"c{_user} writes k{answer.Commit.Key} v{answer.Commit.Version} at {answer.Commit.End:X} on timeline {answer.Branch.Timeline}");
    }

    private void Failed(string what, Exception failure)
    {
        cluster.Counts.FailedReads++;
        if (cluster.Traces) cluster.Tell($"c{_user}: {what} failed: {failure.Message}");
        if (failure is RoutingException && cluster.Options.Arm == RoutingArm.Tidemark && cluster.PrimaryIsWellSince(TimeSpan.FromSeconds(2.5)) && application.IsOld(TimeSpan.FromSeconds(2.5)))
            cluster.Counts.Break($"no node for a {what}, though the primary is well: {failure.Message}");
    }

    private void OnLoss(LostWrite lost)
    {
        cluster.History.LossReported(_user, cluster.Moment());
        _place = _place.Told(cluster);
        if (cluster.Traces) cluster.Tell($"c{_user} is told: {lost}");
    }

    private static string Text(ReadAnswer rows) => string.Join(", ", rows.Rows.Select(r => $"k{r.Key} v{r.Version}"));
}
