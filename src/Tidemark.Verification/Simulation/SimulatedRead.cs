using Npgsql;

namespace Tidemark.Verification;

/// <summary>
/// One read of a simulated client through the library's own loop: opens simulated connections where the loop decides, with the leases that
/// real ones have.
/// </summary>
/// <param name="application">The process that reads.</param>
/// <param name="cluster">The world.</param>
/// <param name="session">Its session.</param>
/// <param name="keys">The rows to show.</param>
/// <param name="writes">The value that the statement turns out to write; <see langword="null"/>: it only reads.</param>
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

    public bool MayHaveWritten => !cluster.Has(PlantedFault.HiddenWriteRepeated) && _lease is { MayHaveWritten: true };

    public RouteDecision Decision => _decision;

    /// <summary>How many of its connections the network has ended.</summary>
    public int Cuts { get; private set; }

    public bool Writes => writes is not null;

    private bool NotesWrongly =>
        cluster.Fault is PlantedFault.GateAsSeenWatermark or PlantedFault.ReceivedBoundsSeen or PlantedFault.HedgeLoserWins;

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
        if (check is ConnectionCheck.None or ConnectionCheck.Learn) CheckRoute(decision);
        return check;
    }

    public async ValueTask<SimulatedRead?> SendAsync(ReadProof? proof, IoMode io, CancellationToken cancellationToken)
    {
        var connection = _connection!;
        if (_writeLease is not null)
        {
            Written = await connection.AskAsync(() =>
                SimulatedStatements.WriteAsync(cluster, connection.Server, keys[0], writes!.Value, isAsynchronous: false))
                .ConfigureAwait(false);
            return this;
        }

        // Connections for reads are read-only and say so, but for those to a primary in some worlds.
        var isWritable = cluster.Shape.HasWritableReads && connection.Server.IsPrimary;
        _lease!.Sending(isReadOnly: !isWritable && !cluster.Shape.IsPooled, connection.Backend, proof);

        if (writes is { } value)
        {
            if (proof is not null && !await ShowsAsync(proof).ConfigureAwait(false)) return null;

            // Connections for reads are read-only, also those to a primary. Behind a pooler the check has begun a read-only transaction.
            var runs = cluster.Has(PlantedFault.WritableReadPool) || (isWritable && !cluster.Shape.IsPooled);
            if (!connection.Server.IsPrimary || !runs) throw await RefusedAsync().ConfigureAwait(false);
            Written = await connection.AskAsync(
                () => SimulatedStatements.WriteAsync(cluster, connection.Server, keys[0], value, isAsynchronous: false),
                    isLikelyLost: isWritable).ConfigureAwait(false);
            return this;
        }

        var sentAt = application.Source.Cluster.Now;
        var (check, rows) = await connection.AskAsync(() => new ValueTask<(CheckAnswer, ReadAnswer)>(
            (SimulatedStatements.Check(cluster, connection.Server), SimulatedStatements.Read(cluster, connection.Server, keys))))
                .ConfigureAwait(false);
        if (proof is not null && !proof.Take(connection.Identity, check, sentAt)) return null;
        Rows = rows;
        return this;
    }

    /// <summary>The connection is held, and the caller reads on it once more: the library has no part in that.</summary>
    public Task<ReadAnswer> ReadOnAsync(int[] others)
    {
        var connection = _connection!;
        return connection.AskAsync(() => new ValueTask<ReadAnswer>(SimulatedStatements.Read(cluster, connection.Server, others)));
    }

    /// <summary>Its statement may have written, and its answer was lost: it is not sent again, whatever nodes are well.</summary>
    public bool MayHaveBeenLost { get; private set; }

    /// <summary>What the server goes on with though the connection was cut; <see langword="null"/>: nothing.</summary>
    public Task? Abandoned { get; private set; }

    private async ValueTask<bool> ShowsAsync(ReadProof proof)
    {
        var sentAt = application.Source.Cluster.Now;
        var check = await _connection!.AskAsync(() => new ValueTask<CheckAnswer>(SimulatedStatements.Check(cluster, _connection.Server)))
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

    /// <summary>The caller has read the rows to their end.</summary>
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

    /// <summary>A route that is not proven again on the connection must be right in truth.</summary>
    private void CheckRoute(in RouteDecision decision)
    {
        if (cluster.Fault != PlantedFault.None || decision.MustInclude is not { } position
            || _connection is not { IsAlive: true, Server.IsPrimary: false } connection) return;
        if (connection.Server.Replay.ReplayedAt(cluster.Now) < (ulong)position.Lsn)
            cluster.Counts.Break($"a read that must include {position} was sent unchecked to {connection.Server.Name}, which lacks it");
    }

    private async ValueTask<PostgresException> RefusedAsync()
    {
        await _connection!.AskAsync(() => new ValueTask<bool>(true)).ConfigureAwait(false);
        return SimulatedStatements.ReadOnly();
    }

    /// <summary>Notes of an answer what a library with a planted fault would note.</summary>
    private void NoteWrongly()
    {
        var node = _decision.State;
        if (Rows is not { } rows) return;
        LearnedPosition? at = cluster.Fault switch
        {
            PlantedFault.GateAsSeenWatermark when !rows.OnPrimary =>
                new LearnedPosition(new WalPosition(node.Timeline, node.Lsn), node.PrimaryEpoch),
            PlantedFault.ReceivedBoundsSeen when !rows.OnPrimary =>
                new LearnedPosition(new WalPosition(node.Timeline, cluster.Lsn(rows.Server.Replay.OnlyReceivedAt(cluster.Now))),
                    node.PrimaryEpoch),
            _ => null,
        };

        // The other replica was asked too, and answered later: its answer was dropped, and its name noted.
        if (cluster.Has(PlantedFault.HedgeLoserWins) && cluster.Nodes.Count > 2)
        {
            var other = application.Source.Cluster.Monitor.Snapshot.Nodes[(node.Index + 1) % cluster.Nodes.Count];
            if (other.Status == ConcludedStatus.Replica) node = other;
        }

        session.Observe(node, onPrimary: node.Status == ConcludedStatus.Primary, at, connection: null);
    }
}
#pragma warning restore CA1032, CA1064
