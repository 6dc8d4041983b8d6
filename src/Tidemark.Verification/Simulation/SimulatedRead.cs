using Npgsql;

namespace Tidemark.Verification;

/// <summary>
/// One read of a simulated client through the library's own read loop. Opens simulated connections to the nodes that the loop chooses, with
/// real leases.
/// </summary>
/// <param name="application">The process that reads.</param>
/// <param name="cluster">The world.</param>
/// <param name="session">The session of the read.</param>
/// <param name="keys">Keys of the rows to show.</param>
/// <param name="writes">
/// The value that the statement writes without the library's knowledge, or <see langword="null"/> if it only reads.
/// </param>
internal sealed class SimulatedRead(
    SimulatedApplication application, SimulatedCluster cluster, ConsistencySession session, int[] keys,
        long? writes = null) : IReadOperation<SimulatedRead>
{
    private SimulatedConnection? _connection;
    private ReadLease? _lease;
    private WriteLease? _writeLease;
    private RouteDecision _decision;
    private int _attempts;
    private bool _isDelivered;

    public bool RunsCallersCommand => true;

    public bool MayHaveWritten => !cluster.Has(PlantedFault.HiddenWriteRetried) && _lease is { MayHaveWritten: true };

    public RouteDecision Decision => _decision;

    /// <summary>Number of its connections that the network has ended.</summary>
    public int Cuts { get; private set; }

    public bool Writes => writes is not null;

    private bool NotesWrongly =>
        cluster.Fault is PlantedFault.GateAsObservedWatermark or PlantedFault.ReceivedBoundsObserved or PlantedFault.HedgeLoserWins;

    public ReadAnswer? Rows { get; private set; }

    public WriteAnswer? Written { get; private set; }

    public async ValueTask<ConnectionCheck> OpenAsync(RouteDecision decision, bool isWrite, IoMode io,
        CancellationToken cancellationToken)
    {
        _decision = decision;
        _attempts++;
        if (_attempts == 2 && cluster.Has(PlantedFault.RequirementDroppedOnRetry)) throw new RequirementDroppedException();
        _connection = await application.OpenAsync(decision.NodeIndex).ConfigureAwait(false);
        if (isWrite)
        {
            _writeLease = application.Source.Cluster.LeaseWrite(decision.NodeIndex, session);
            _writeLease.Opened(isStandby: !_connection.Server.IsPrimary, _connection.Backend);
            return ConnectionCheck.None;
        }

        var isForgotten = NotesWrongly || (_connection.Server.IsPrimary && cluster.Has(PlantedFault.PrimaryReadsLeaveNoWatermark));
        _lease = application.Source.Cluster.LeaseRead(decision, isForgotten ? null : session);
        _lease.Opened(_connection.Identity);
        var check = application.Source.Cluster.CheckOf(_lease, decision);
        if (cluster.Has(PlantedFault.YoungConnectionProven) && decision.IsReplica && !(decision.MustInclude?.Lsn > decision.State.Lsn))
            return ConnectionCheck.None;
        if (check is ConnectionCheck.None or ConnectionCheck.Identify) CheckRoute(decision);
        return check;
    }

    public async ValueTask<SimulatedRead?> SendAsync(ReadProof? proof, IoMode io, CancellationToken cancellationToken)
    {
        var connection = _connection!;
        if (_writeLease is not null)
        {
            Written = await connection.QueryAsync(() =>
                SimulatedStatements.WriteAsync(cluster, connection.Server, keys[0], writes!.Value, isAsynchronous: false))
                .ConfigureAwait(false);
            return this;
        }

        // Connections for reads are read-only and report it, except those to a primary in some worlds.
        var isWritable = cluster.Shape.HasWritableReads && connection.Server.IsPrimary;
        _lease!.Sending(isReadOnly: !isWritable && !cluster.Shape.IsPooled, connection.Backend, proof);

        if (writes is { } value)
        {
            if (proof is not null && !await ShowsAsync(proof).ConfigureAwait(false)) return null;

            // Connections for reads are read-only, including those to a primary. Behind a pooler the check has begun a read-only
            // transaction.
            var runs = cluster.Has(PlantedFault.WritableReadPool) || (isWritable && !cluster.Shape.IsPooled);
            if (!connection.Server.IsPrimary || !runs) throw await RefusedAsync().ConfigureAwait(false);
            Written = await connection.QueryAsync(
                () => SimulatedStatements.WriteAsync(cluster, connection.Server, keys[0], value, isAsynchronous: false),
                    isLikelyLost: isWritable).ConfigureAwait(false);
            return this;
        }

        var sentAt = application.Source.Cluster.Now;
        var (check, rows) = await connection.QueryAsync(() => new ValueTask<(CheckAnswer, ReadAnswer)>(
            (SimulatedStatements.Check(cluster, connection.Server), SimulatedStatements.Read(cluster, connection.Server, keys))))
                .ConfigureAwait(false);
        if (proof is not null && !proof.Take(connection.Identity, check, sentAt)) return null;
        Rows = rows;
        return this;
    }

    /// <summary>Reads once more on the connection that the caller holds. The library does not take part in this read.</summary>
    public Task<ReadAnswer> ReadOnAsync(int[] others)
    {
        var connection = _connection!;
        return connection.QueryAsync(() => new ValueTask<ReadAnswer>(SimulatedStatements.Read(cluster, connection.Server, others)));
    }

    /// <summary>
    /// Whether the statement may have written and its response was lost. It is not retried then, even if other nodes are healthy.
    /// </summary>
    public bool MayHaveBeenLost { get; private set; }

    /// <summary>The work that the server continues after the connection was cut, or <see langword="null"/> if none exists.</summary>
    public Task? Abandoned { get; private set; }

    private async ValueTask<bool> ShowsAsync(ReadProof proof)
    {
        var sentAt = application.Source.Cluster.Now;
        var check = await _connection!.QueryAsync(() => new ValueTask<CheckAnswer>(SimulatedStatements.Check(cluster, _connection.Server)))
            .ConfigureAwait(false);
        return proof.Take(_connection.Identity, check, sentAt);
    }

    public void Deliver()
    {
        if (!cluster.Has(PlantedFault.ReaderNotedAtItsEnd)) _lease?.Deliver();
        _isDelivered = true;
    }

    public ValueTask CloseAsync(IoMode io)
    {
        Close();
        return default;
    }

    /// <summary>Records that the caller has read all rows.</summary>
    public void Close()
    {
        if (_connection is null) return;
        if (_connection.IsCut) Cuts++;
        Abandoned = _connection.Abandoned ?? Abandoned;
        MayHaveBeenLost |= _connection.IsBroken && MayHaveWritten;
        if (cluster.Has(PlantedFault.ReaderNotedAtItsEnd) && _isDelivered) _lease?.Deliver();
        _lease?.Closed(_connection.IsBroken);
        if (NotesWrongly && _isDelivered) NoteWrongly();
        _writeLease?.Closed(_connection.IsBroken);
        application.Return(_connection);
        (_connection, _lease, _writeLease) = (null, null, null);
    }

    /// <summary>Checks that a route which is not proven again on the connection is really correct.</summary>
    private void CheckRoute(in RouteDecision decision)
    {
        if (cluster.Fault != PlantedFault.None || decision.MustInclude is not { } position
            || _connection is not { IsAlive: true, Server.IsPrimary: false } connection) return;
        if (connection.Server.Replay.ReplayedAt(cluster.Now) < (ulong)position.Lsn)
            cluster.Counts.Break(
                $"a read that must include {position} was sent without a check to {connection.Server.Name}, which lacks it");
    }

    private async ValueTask<PostgresException> RefusedAsync()
    {
        await _connection!.QueryAsync(() => new ValueTask<bool>(true)).ConfigureAwait(false);
        return SimulatedStatements.ReadOnly();
    }

    /// <summary>Records as observed what a library with a planted fault would record.</summary>
    private void NoteWrongly()
    {
        var node = _decision.State;
        if (Rows is not { } rows) return;
        KnownPosition? at = cluster.Fault switch
        {
            PlantedFault.GateAsObservedWatermark when !rows.OnPrimary =>
                new KnownPosition(new WalPosition(node.Timeline, node.Lsn), node.PrimaryEpoch),
            PlantedFault.ReceivedBoundsObserved when !rows.OnPrimary =>
                new KnownPosition(new WalPosition(node.Timeline, cluster.Lsn(rows.Server.Replay.OnlyReceivedAt(cluster.Now))),
                    node.PrimaryEpoch),
            _ => null,
        };

        // The other replica was queried too and responded later. Its response was dropped, but its name is recorded.
        if (cluster.Has(PlantedFault.HedgeLoserWins) && cluster.Nodes.Count > 2)
        {
            var other = application.Source.Cluster.Monitor.Snapshot.Nodes[(node.Index + 1) % cluster.Nodes.Count];
            if (other.Status == ConcludedStatus.Replica) node = other;
        }

        session.Observe(node, onPrimary: node.Status == ConcludedStatus.Primary, at, connection: null);
    }
}
#pragma warning restore CA1032, CA1064
