using Npgsql;

namespace Tidemark.Verification;

/// <summary>
/// A sequence of users of one application process. Each user has a session, writes, reads what was written, and passes tokens on.
/// </summary>
internal sealed class SimulatedClient(SimulatedCluster cluster, SimulatedApplication application)
{
    private static readonly RoutingRules ArmRules = new([], [], 0);

    private readonly ArmRouter _router = new(cluster.Options.Arm, cluster.Fault, cluster.Random);
    private readonly ClientJournal _journal = new(cluster, application);
    private ConsistencySession _session = null!;

    /// <summary>The current operation, to diagnose a client that does not end.</summary>
    public string Doing { get; private set; } = "starting";

    private TidemarkDataSource Source => application.Source;

    private bool IsArm =>
        cluster.Options.Arm != RoutingArm.Tidemark || cluster.Fault is PlantedFault.FixedWindow or PlantedFault.UnstickAtFirstReplica;

    /// <summary>Runs until the world ends or the process is killed.</summary>
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

        _journal.Begin();
        var affinity = cluster.Shape.Profile == LagProfile.Mixed && cluster.Chance(0.2) ? $"user {cluster.Random.Next(5)}" : null;
        using var session = Source.BeginSession(affinity: affinity);
        _session = session;
        if (cluster.Tokens.Take(cluster) is { } given && IsAccepted(CausalToken.Parse(given.Text)))
        {
            _journal.Receive(given);
            Continue(CausalToken.Parse(given.Text), given.From);
        }

        for (var i = 0; i < cluster.Shape.SessionLength && !cluster.IsOver; i++)
        {
            await cluster.PassAsync(TimeSpan.FromSeconds(Distribution.Exponential(cluster.Random, cluster.Shape.ThinkTime.TotalSeconds)))
                .ConfigureAwait(false);
            if (application.IsOver || cluster.IsOver) return;
            await DoSomeThingsAsync().ConfigureAwait(false);
        }

        if (!IsArm && cluster.Chance(0.5)) await HandOverAsync().ConfigureAwait(false);
    }

    /// <summary>Runs one operation. Occasionally runs several at once, as a request does that awaits them together.</summary>
    private async Task DoSomeThingsAsync()
    {
        if (IsArm || cluster.Shape.Profile != LagProfile.Mixed || !cluster.Chance(0.1))
        {
            await DoSomethingAsync().ConfigureAwait(false);
            return;
        }

        var underWay = new List<Task>();
        for (var i = cluster.Random.Next(2, 4); i > 0; i--) underWay.Add(DoSomethingAsync());
        foreach (var operation in underWay) await operation.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var operation in underWay) await operation.ConfigureAwait(false);
    }

    private async Task DoSomethingAsync()
    {
        var kind = cluster.Random.NextDouble();
        var writes = cluster.IsQuiet ? 0 : cluster.Shape.WriteShare;
        var isMixed = cluster.Shape.Profile == LagProfile.Mixed && !IsArm;
        var isEventful = isMixed && !cluster.IsQuiet;
        var (doing, what) = isEventful && cluster.Shape.HasScopes && cluster.Chance(0.05)
            ? ("write in an open transaction", WriteInScopeAsync())
            : isEventful && cluster.Shape is { HoldsReaders: true, IsPooled: false } && cluster.Chance(0.05)
                ? ("held reader", HoldReaderAsync())
            : kind < writes ? ("write", WriteAsync())
            : !isMixed || cluster.IsQuiet || kind > 0.95 ? ("read", ReadAsync(Consistency.Session))
            : kind > 0.9 ? ("read on the primary", ReadOnPrimaryAsync(conflicts: false))
            : kind > 0.87 ? ("conflict", ReadOnPrimaryAsync(conflicts: true))
            : kind > 0.85 ? ("hand-over", HandOverAsync())
            : kind > 0.83 ? ("write in a read", WriteInReadAsync())
            : kind > 0.78 ? ("rare operation", new RareOperations(cluster, application, _journal, _session).RunAsync(ReadOnNodeAsync))
            : ("read", ReadAsync(AnyLevel()));
        Doing = $"c{_journal.User} in a {doing} since {cluster.Now / TimeSpan.TicksPerMillisecond} ms";
        await what.ConfigureAwait(false);
        Doing = $"c{_journal.User} idle";
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
        var could = isCounted && _journal.Position.IsOnReplica(cluster);
        var read = new SimulatedRead(application, cluster, _session, keys);
        using var reported = LossListener.Listen(_journal.Lost);
        try
        {
            await (IsArm ? ReadByArmAsync(read) : ReadAsync(read, level)).ConfigureAwait(false);
        }
        catch (NpgsqlException e)
        {
            read.Close();
            _journal.Failed("read", e, read.Cuts);
            return;
        }
        finally
        {
            read.Close();
        }

        _journal.Answered(read.Rows!, start, level, isVerified: !IsArm && read.Rows!.OnPrimary);
        if (cluster.Traces) cluster.Trace($"c{_journal.User} reads {ClientJournal.Text(read.Rows!)} at {level} from {read.Decision}");
        if (!isCounted) return;

        // A session in doubt keeps reading from the primary until the server process that may commit the write has ended. This is
        // guaranteed and does not count against the offload.
        cluster.Counts.Count(read.Rows!.OnPrimary, could, cluster.IsSettled && !_session.IsInDoubt);
    }

    private async Task ReadAsync(SimulatedRead read, Consistency level)
    {
        try
        {
            var request = new ReadRequest(_session, Source.Effective(level));
            await ReadLoop.RunAsync(Source.Watermarks, request, read, IoMode.Async, CancellationToken.None).ConfigureAwait(false);
        }
        catch (RequirementDroppedException)
        {
            if (read.Writes) throw;
            var request = new ReadRequest(Session: null, Consistency.Eventual);
            await ReadLoop.RunAsync(Source.Watermarks, request, read, IoMode.Async, CancellationToken.None).ConfigureAwait(false);
        }
    }

    /// <summary>A read that names its node runs on that node or fails.</summary>
    private async Task ReadOnNodeAsync(string node)
    {
        var start = cluster.Moment();
        var read = new SimulatedRead(application, cluster, _session, SomeKeys());
        using var reported = LossListener.Listen(_journal.Lost);
        try
        {
            var request = new ReadRequest(_session, Source.Effective(Consistency.Session), node);
            await ReadLoop.RunAsync(Source.Watermarks, request, read, IoMode.Async, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception e) when (e is NpgsqlException or RequirementDroppedException)
        {
            cluster.Counts.FailedReads++;
            return;
        }
        finally
        {
            read.Close();
        }

        if (!cluster.Nodes.Single(n => n.Name == node).Servers.Contains(read.Rows!.Server))
            cluster.Counts.Break($"a read that names {node} was served by {read.Rows.Server.Name}");
        _journal.Answered(read.Rows, start, Consistency.Session, isVerified: read.Rows.OnPrimary);
        if (cluster.Traces) cluster.Trace($"c{_journal.User} reads {ClientJournal.Text(read.Rows)} on the named node {node}");
    }

    private async Task ReadByArmAsync(SimulatedRead read)
    {
        var snapshot = Source.Cluster.Monitor.Snapshot;
        var node = _router.Choose(snapshot, _journal.WroteAt is { } at ? TimeSpan.FromTicks(cluster.Now - at) : null, _session.Written);
        for (var attempt = 0; ; attempt++)
        {
            if (node < 0) throw new RoutingException();
            try
            {
                var decision = new RouteDecision(snapshot, default, ArmRules, 0, node, RouteReason.AnyReplica);
                await read.OpenAsync(decision, isWrite: false, IoMode.Async, CancellationToken.None).ConfigureAwait(false);
                if (await read.SendAsync(proof: null, IoMode.Async, CancellationToken.None).ConfigureAwait(false) is not null) return;
            }
            catch (NpgsqlException) when (attempt < cluster.Nodes.Count)
            {
                await read.CloseAsync(IoMode.Async).ConfigureAwait(false);
                node = (node + 1) % cluster.Nodes.Count;
            }
        }
    }

    private async Task ReadOnPrimaryAsync(bool conflicts)
    {
        if (!conflicts)
        {
            await ReadAsync(Consistency.Strong).ConfigureAwait(false);
            return;
        }

        var keys = SomeKeys();
        var start = cluster.Moment();
        if (await OpenOnPrimaryAsync().ConfigureAwait(false) is not { } opened) return;
        var (connection, lease) = opened;
        try
        {
            var rows = await connection.QueryAsync(() =>
                new ValueTask<ReadAnswer>(SimulatedStatements.Read(cluster, connection.Server, keys))).ConfigureAwait(false);

            // A failed write showed another session's commit. It is certain that the write did not happen.
            lease.Closed(connection.IsBroken);
            _journal.Answered(rows, start, Consistency.Session, isVerified: false);
            if (cluster.Traces)
                cluster.Trace($"c{_journal.User} conflicts with {ClientJournal.Text(rows)} on the primary {connection.Server.Name}");
        }
        catch (NpgsqlException e)
        {
            _journal.Failed("read on the primary", e);
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
        var piggybacks = cluster.Shape.Profile != LagProfile.Mixed || cluster.Chance(0.7);
        if (await OpenOnPrimaryAsync().ConfigureAwait(false) is not { } opened) return;
        var (connection, lease) = opened;
        var node = Source.Cluster.Monitor.Snapshot.Nodes[connection.NodeIndex];
        var forgets = cluster.Has(PlantedFault.ResolvedOnAnotherTimeline) && _session.BeginWrite();
        try
        {
            var answer =
                await connection.QueryAsync(() => SimulatedStatements.WriteAsync(cluster, connection.Server, key, value, isAsynchronous))
                .ConfigureAwait(false);
            var position = cluster.Has(PlantedFault.FlushForAsynchronousCommit) ? answer.Flushed : answer.Inserted;
            if (cluster.Shape.LosesPositions && !cluster.IsQuiet && cluster.Chance(0.1)) EndAfterAcknowledgement(connection, lease, node);
            else if (piggybacks && !forgets)
                lease.Committed(new PiggybackedPosition(new WalPosition(answer.Timeline, cluster.Lsn(position)), answer.Epoch));
            _journal.Acknowledged(answer, value, start);
        }
        catch (Exception e) when (e is NpgsqlException or ApplicationEndedException)
        {
            cluster.Counts.FailedWrites++;
            _journal.InDoubt(key, value, start, connection.Abandoned);
            if (cluster.Traces) cluster.Trace($"c{_journal.User} has a write in doubt, {value} in k{key}: {e.Message}");
            if (e is ApplicationEndedException) throw;
        }
        finally
        {
            lease.Closed(connection.IsBroken);
            if (forgets) _session.EndWrite(node with { Timeline = 0, PrimaryEpoch = KnownPosition.Unknown, Epoch = default }, at: null);
            application.Return(connection);
        }
    }

    private async Task WriteInReadAsync()
    {
        var (value, start) = (cluster.NextValue(), cluster.Moment());
        var key = cluster.Random.Next(cluster.Shape.Keys);
        var read = new SimulatedRead(application, cluster, _session, [key], value);
        var level = cluster.Shape.HasWritableReads && cluster.Chance(0.7) ? Consistency.Strong : Consistency.Session;
        using var reported = LossListener.Listen(_journal.Lost);
        try
        {
            await ReadAsync(read, level).ConfigureAwait(false);
            _journal.Acknowledged(read.Written!, value, start);
        }
        catch (Exception e) when (e is NpgsqlException or ApplicationEndedException or RequirementDroppedException)
        {
            _journal.InDoubt(key, value, start, read.Abandoned);
            if (!read.MayHaveBeenLost) _journal.Failed("write in a read", e);
            if (e is ApplicationEndedException) throw;
        }
        finally
        {
            read.Close();
        }
    }

    /// <summary>The server has acknowledged a COMMIT, and the connection ends before its position arrives.</summary>
    private void EndAfterAcknowledgement(SimulatedConnection connection, WriteLease lease, NodeState node)
    {
        connection.Cut();
        lease.Begin(piggybacked: null);

        // Npgsql raises the event of a broken connection before it throws the cause.
        lease.Closed(isBroken: true);
        if (cluster.Has(PlantedFault.AcknowledgedAtOldPosition))
            lease.Committed(new PiggybackedPosition(new WalPosition(node.Timeline, node.Lsn)));
        else lease.AcknowledgedWithoutPosition();
    }

    /// <summary>
    /// A write in a transaction that outlives its connection, as with a TransactionScope. Its position is sampled while the transaction is
    /// open, and the session may read before the commit.
    /// </summary>
    private async Task WriteInScopeAsync()
    {
        var (key, value, start) = (cluster.Random.Next(cluster.Shape.Keys), cluster.NextValue(), cluster.Moment());
        if (await OpenOnPrimaryAsync().ConfigureAwait(false) is not { } opened) return;
        var (connection, lease) = opened;
        OpenWrite? write = null;
        var (isLeft, isSent) = (false, false);
        try
        {
            connection.IsPinned = await connection.QueryAsync(BeginAsync).ConfigureAwait(false);
            var transaction = cluster.Has(PlantedFault.PositionInOpenTransaction) ? null : write!.Transaction;
            lease.Committed(
                new PiggybackedPosition(new WalPosition(write!.Timeline, cluster.Lsn(write.Inserted)), write.Epoch, transaction));
            lease.Closed(isBroken: false);
            if (cluster.Chance(0.5)) await ReadAsync(Consistency.Session).ConfigureAwait(false);
            await cluster.PassAsync(TimeSpan.FromSeconds(Distribution.Exponential(cluster.Random, 0.005))).ConfigureAwait(false);
            if (cluster.Chance(0.2))
            {
                cluster.History.Write(_journal.User, start, cluster.Moment(), key, 0, value, HistoryOutcome.Failed);
                return;
            }

            var answer = await connection.QueryAsync(CommitAsync).ConfigureAwait(false);
            _journal.Acknowledged(answer, value, start);
        }
        catch (Exception e) when (e is NpgsqlException or ApplicationEndedException)
        {
            isLeft = true;
            cluster.Counts.FailedWrites++;
            _journal.InDoubt(key, value, start, connection.Abandoned);
            if (cluster.Traces)
                cluster.Trace($"c{_journal.User} has a write in doubt, {value} in k{key}, in an open transaction: {e.Message}");
            if (e is ApplicationEndedException) throw;
        }
        finally
        {
            if (write is not null && !isSent) SimulatedStatements.RollBack(write);
            lease.Closed(connection.IsBroken);
            connection.IsPinned = false;
            application.Return(connection);
        }

        async ValueTask<bool> BeginAsync()
        {
            write = await SimulatedStatements.BeginWriteAsync(cluster, connection.Server, key).ConfigureAwait(false);
            if (isLeft) SimulatedStatements.RollBack(write);
            return true;
        }

        ValueTask<WriteAnswer> CommitAsync()
        {
            isSent = true;
            return SimulatedStatements.CommitAsync(cluster, write!, value);
        }
    }

    /// <summary>A connection for reads that is held while the session reads elsewhere, and is used for a read occasionally.</summary>
    private async Task HoldReaderAsync()
    {
        var start = cluster.Moment();
        var read = new SimulatedRead(application, cluster, _session, SomeKeys());
        using var reported = LossListener.Listen(_journal.Lost);
        try
        {
            await ReadAsync(read, Consistency.Session).ConfigureAwait(false);
            _journal.Answered(read.Rows!, start, Consistency.Session, isVerified: read.Rows!.OnPrimary);
            if (cluster.Traces)
                cluster.Trace($"c{_journal.User} holds a reader that shows {ClientJournal.Text(read.Rows)} from {read.Rows.Server.Name}");
            for (var i = cluster.Random.Next(1, 5); i > 0; i--)
            {
                await cluster.PassAsync(TimeSpan.FromSeconds(Distribution.Exponential(cluster.Random, 0.01))).ConfigureAwait(false);
                if (cluster.Chance(0.6))
                {
                    await ReadAsync(Consistency.Session).ConfigureAwait(false);
                    continue;
                }

                // A read on a connection that is held is not checked again, but binds the session nevertheless.
                start = cluster.Moment();
                var rows = await read.ReadOnAsync(SomeKeys()).ConfigureAwait(false);
                _journal.Answered(rows, start, Consistency.Eventual, isVerified: false, isHeld: true);
                if (cluster.Traces)
                    cluster.Trace(
                        $"c{_journal.User} reads again on the held connection: {ClientJournal.Text(rows)} from {rows.Server.Name}");
            }
        }
        catch (NpgsqlException)
        {
            cluster.Counts.FailedReads++;
        }
        finally
        {
            read.Close();
        }
    }

    /// <summary>
    /// Opens a connection to the primary as the library does. Returns <see langword="null"/> if no primary exists and nothing was sent.
    /// </summary>
    private async Task<(SimulatedConnection Connection, WriteLease Lease)?> OpenOnPrimaryAsync()
    {
        using var reported = LossListener.Listen(_journal.Lost);
        SimulatedConnection? connection = null;
        var index = -1;
        try
        {
            index = Source.DecideWrite(_session).NodeIndex;
            connection = await application.OpenAsync(index).ConfigureAwait(false);
            var isForgotten = cluster.Has(PlantedFault.ResolvedOnAnotherTimeline)
                || cluster.Has(PlantedFault.PrimaryErrorLeavesNoWatermark);
            var lease = Source.Cluster.LeaseWrite(index, isForgotten ? null : _session);
            lease.Opened(isStandby: !connection.Server.IsPrimary, connection.Backend);
            return (connection, lease);
        }
        catch (NpgsqlException e)
        {
            if (connection is not null) application.Return(connection);
            else if (index >= 0) _ = Source.NoPrimary(index, e);
            cluster.Counts.FailedWrites++;
            if (cluster.Traces) cluster.Trace($"c{_journal.User} finds no primary: {e.Message.Split('\n')[0]}");
            return null;
        }
    }

    /// <summary>
    /// Runs one request of a browser: a session that continues from the cookies of the request, some operations, and the token for the
    /// response.
    /// </summary>
    /// <param name="received">The responses that the browser has received.</param>
    /// <param name="sent">The cookies that it sends.</param>
    /// <param name="reportedAt">
    /// Time at which it last received a response whose session had received a loss report, or zero if none exists.
    /// </param>
    public async Task<GivenToken> RequestAsync(IReadOnlyList<ReceivedAnswer> received, CookieSlots sent, long reportedAt)
    {
        _journal.Begin();
        using var session = Source.BeginSession();
        _session = session;
        ReceiveAll(received, reportedAt);
        var isUnknown = sent.IsUnknown;
        foreach (var token in sent.Tokens)
        {
            if (IsAccepted(token)) Continue(token, from: 0);
            else isUnknown = true;
        }

        if (isUnknown) session.Resume(written: null, isUnknown: true, unknown: new UnknownPosition(sent.UnknownSince));
        for (var i = cluster.Random.Next(1, 4); i > 0; i--) await DoSomethingAsync().ConfigureAwait(false);
        return await CaptureAsync().ConfigureAwait(false);
    }

    /// <summary>
    /// Binds the session to all responses of the browser. A response that set no cookie because those of its request covered it adds
    /// nothing to them. If a loss of that was reported to a parallel request with the same cookies, the browser has received the report.
    /// </summary>
    private void ReceiveAll(IReadOnlyList<ReceivedAnswer> received, long reportedAt)
    {
        foreach (var answer in received.Where(a => a.AddsNothing)) _journal.Receive(answer.Given);
        if (received.Any(a => a.AddsNothing && reportedAt > a.SentAt)) _journal.ReportedElsewhere();
        foreach (var answer in received.Where(a => !a.AddsNothing)) _journal.Receive(answer.Given);
    }

    private async Task HandOverAsync() => cluster.Tokens.Give(await CaptureAsync().ConfigureAwait(false));

    private async Task<GivenToken> CaptureAsync()
    {
        using var reported = LossListener.Listen(_journal.Lost);
        var token =
            await Source.Tokens.CaptureAsync(_session, ConsistencyDemands.Written | ConsistencyDemands.Observed, CancellationToken.None)
            .ConfigureAwait(false);
        if (cluster.Traces)
            cluster.Trace(
            $"c{_journal.User} hands over a token: written {token.Written}, observed {token.Observed}{(token.IsUnknown ? ", unknown" : "")}");
        return new GivenToken(token.ToString(), _journal.User, cluster.Moment(), _journal.Position) { IsReported = _journal.IsReported };
    }

    /// <summary>
    /// A token of another cluster is rejected. This happens only where processes may mistake another cluster for their own.
    /// </summary>
    private bool IsAccepted(CausalToken token)
    {
        var known = Source.Cluster.Monitor.Snapshot.SystemIdentifier;
        if (known == 0 || token.Cluster == 0 || token.Cluster == known) return true;
        if (cluster.Shape.NamesCluster || !cluster.Shape.HasForeignNode)
            cluster.Counts.Break($"a token of cluster {token.Cluster} reached a process of {known}");
        return false;
    }

    private void Continue(CausalToken token, int from)
    {
        using var reported = LossListener.Listen(_journal.Lost);
        if (cluster.Has(PlantedFault.BadTokenMeansFresh) && token.ExpiresAt <= application.Clock.GetUtcNow()) return;
        Source.Tokens.Continue(_session, token);
        if (cluster.Traces)
            cluster.Trace(
            $"c{_journal.User} continues {(from == 0 ? "a cookie" : $"c{from}")} in {application.Name}: written {token.Written}, "
                + $"observed {token.Observed}{(token.IsUnknown ? ", unknown" : "")}");
    }
}
