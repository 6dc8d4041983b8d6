using Npgsql;

namespace Tidemark;

/// <summary>
/// Opens a connection for reading on a node that has what the read must include, and begins something on it. Once the connection is handed
/// out, its use belongs to the caller.
/// </summary>
/// <param name="watermarks">Resolves what the session requires.</param>
/// <param name="cluster">Creates the connections.</param>
/// <param name="findSession">Returns the session that surrounds the caller.</param>
/// <param name="consistency">The consistency level of the reads.</param>
/// <param name="begin">Begins on an open connection what the caller receives. Its third argument says how to wait.</param>
internal sealed class ReadOpening<T>(
    WatermarkResolver watermarks,
    ClusterConnections cluster,
    Func<ConsistencySession?> findSession,
    Consistency consistency,
    Func<NpgsqlConnection, RouteDecision, IoMode, CancellationToken, ValueTask<T>> begin) : IReadOperation<T>
    where T : class
{
    private readonly ConsistencySession? _session = findSession();
    private NpgsqlConnection? _connection;
    private ReadLease? _lease;
    private RouteDecision _decision;

    // Opening and checking are not the caller's command, so a timeout in them is not the caller's.
    public bool RunsCallersCommand => false;

    public bool MayHaveWritten => false;

    /// <summary>
    /// Whether a read-only transaction of Tidemark is handed out. Nothing can write in it, whatever the connection allows.
    /// </summary>
    public bool IsReadOnly { get; init; }

    public async ValueTask<ConnectionCheck> OpenAsync(RouteDecision decision, bool isWrite, IoMode io,
        CancellationToken cancellationToken)
    {
        _decision = decision;
        _connection = cluster.CreateRead(decision, _session, out _lease);
        await _connection.OpenAsync(io, cancellationToken).ConfigureAwait(false);
        return cluster.CheckOf(_lease, decision);
    }

    public async ValueTask<T?> SendAsync(ReadProof? proof, IoMode io, CancellationToken cancellationToken)
    {
        var connection = _connection!;
        if (proof is { IsRequired: true } && !await ReadCheck.PassesAsync(connection, proof, io, cancellationToken).ConfigureAwait(false))
            return null;

        return await begin(connection, _decision, io, cancellationToken).ConfigureAwait(false);
    }

    public void Deliver()
    {
        _lease!.HandOut(new ReadReopening(watermarks, cluster, findSession, consistency, _decision.Node!));
        if (!IsReadOnly) _lease.Sending(_connection!);
        _lease.Deliver();
    }

    public ValueTask CloseAsync(IoMode io) => _connection!.DisposeAsync(io);
}
