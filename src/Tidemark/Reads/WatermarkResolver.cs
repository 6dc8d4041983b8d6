using System.Diagnostics.Metrics;

namespace Tidemark;

/// <summary>
/// Resolves what a session's reads must include when that needs I/O: samples the primary for pending watermarks, compares WAL positions
/// with the history that the cluster continued with, and waits for replicas. Callers that wait share one sample. Lost writes are always
/// reported.
/// </summary>
internal sealed class WatermarkResolver(ClusterConnections cluster, LiveOptions options, TimeProvider time, Action<LostWrite> report)
{
    private static readonly Meter Meter = new("Tidemark");
    private static readonly Counter<long> LostWrites = Meter.CreateCounter<long>(
        "tidemark.lost_writes", "{write}", "Sessions that wrote or observed something that the cluster's history no longer contains");

    private int _waiting;

    public ClusterConnections Cluster => cluster;

    private ClusterMonitor Monitor => cluster.Monitor;

    /// <summary>
    /// Prepares a read before its first attempt. Afterwards every node was probed once, positions that came from elsewhere are verified,
    /// and it is known whether the replicas that served the session have followed a promotion.
    /// </summary>
    /// <param name="session">The session of the read.</param>
    /// <param name="io">How to wait.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    public async ValueTask PrepareAsync(ConsistencySession? session, IoMode io, CancellationToken cancellationToken)
    {
        if (io == IoMode.Async) await Monitor.FirstRoundAsync(cancellationToken).ConfigureAwait(false);
        else Monitor.FirstRound();
        if (session is null) return;
        if (session.IsAheadOf(Monitor.Snapshot)) await SampleAllAsync(io, cancellationToken).ConfigureAwait(false);
        if (Monitor.Snapshot is not { Primary: { } primary } snapshot) return;
        foreach (var replica in session.ReplicasToProbe(primary, snapshot))
            await SampleAsync(replica, io, cancellationToken).ConfigureAwait(false);
        if (session.NeedsVerification(primary) && await SamplePrimaryAsync(io, cancellationToken).ConfigureAwait(false) is { } sampled)
            Report(session.Verify(sampled));
    }

    /// <summary>Reports the session's lost writes, as far as the latest snapshot shows them.</summary>
    public void Validate(ConsistencySession? session) => Report(session?.Validate(Monitor.Snapshot));

    /// <summary>
    /// Reports the session's lost writes by the same snapshot from which its node was selected. History may have continued without them
    /// since the attempt began, and they must be reported before any answer. Returns <see langword="true"/> if writes were lost and the
    /// requirement must be derived again.
    /// </summary>
    public bool Validate(ConsistencySession? session, ClusterSnapshot snapshot)
    {
        if (session?.Validate(snapshot) is not { } lost) return false;
        Report(lost);
        return true;
    }

    /// <summary>
    /// Takes a sample before the primary responds on a connection that no probe has verified. The connection may lead to an epoch of the
    /// primary that began with a loss.
    /// </summary>
    public async ValueTask VerifyAsync(ConsistencySession? session, int nodeIndex, IoMode io, CancellationToken cancellationToken)
    {
        await SampleAsync(nodeIndex, io, cancellationToken).ConfigureAwait(false);
        Validate(session);
    }

    /// <summary>Resolves pending watermarks, so that they can be carried to another process.</summary>
    public async ValueTask ResolveAllAsync(ConsistencySession session, ConsistencyDemands what, CancellationToken cancellationToken)
    {
        await PrepareAsync(session, IoMode.Async, cancellationToken).ConfigureAwait(false);
        Validate(session);
        await SettleAsync(session, IoMode.Async, cancellationToken).ConfigureAwait(false);
        if (session.NeedsSample(what, Monitor.Snapshot, mayStay: false) is { } mark)
            await ResolveAsync(session, mark, IoMode.Async, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Waits until a replica that keeps up has replayed the position, or the wait time has elapsed. Callers that wait for the same node
    /// share its samples. Returns <see langword="false"/> if no replica has the position, or waiting was not worthwhile.
    /// </summary>
    public ValueTask<bool> WaitAsync(WalPosition position, CancellationToken cancellationToken) =>
        WaitAsync(position, onNode: null, IoMode.Async, cancellationToken);

    /// <inheritdoc cref="WaitAsync(WalPosition, CancellationToken)"/>
    /// <param name="position">The WAL position that a replica must have replayed.</param>
    /// <param name="onNode">The only acceptable node, or <see langword="null"/> for any.</param>
    /// <param name="io">How to wait. Blocking needs no thread-pool thread.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    public async ValueTask<bool> WaitAsync(WalPosition position, string? onNode, IoMode io, CancellationToken cancellationToken)
    {
        var current = options.Current;
        var readWait = current.ReadWait;
        if (readWait == TimeSpan.Zero) return false;
        if (Interlocked.Increment(ref _waiting) > current.MaxWaitingReads)
        {
            Interlocked.Decrement(ref _waiting);
            return false;
        }

        try
        {
            var start = time.GetTimestamp();
            while (true)
            {
                var snapshot = Monitor.Snapshot;
                var left = readWait - time.GetElapsedTime(start);
                var candidates = Candidates(snapshot, position, onNode, left);
                if (candidates.Exists(node => node.Lsn >= position.Lsn)) return true;
                if (candidates.Count == 0 || left <= TimeSpan.Zero) return false;
                if (io == IoMode.Blocking)
                {
                    Monitor.SampleAny([.. candidates.Select(node => node.Index)], left);
                    continue;
                }

                if (candidates.Find(node => WaitForLsn.IsIn(node.ServerVersion)) is { } modern)
                {
                    if (!await cluster.WaitOnServerAsync(modern.Index, position, left, cancellationToken).ConfigureAwait(false))
                        return false;
                    await Monitor.SampleAsync(modern.Index, cancellationToken).ConfigureAwait(false);
                    continue;
                }

                // A node that hangs fails only after the probe timeout, which may be much longer than the wait of this read.
                using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);

                // Timers truncate to whole milliseconds. Without rounding up, the loop would spin through the last one.
                var spent = new TaskCompletionSource();
                var whole = TimeSpan.FromMilliseconds(Math.Ceiling(left.TotalMilliseconds));
                using var timer =
                    time.CreateTimer(static spent => ((TaskCompletionSource)spent!).TrySetResult(), spent, whole, Timeout.InfiniteTimeSpan);
                var first = await Task.WhenAny([spent.Task, .. candidates.Select(node => Monitor.SampleAsync(node.Index, enough.Token))])
                    .ConfigureAwait(false);
                enough.Cancel();
                cancellationToken.ThrowIfCancellationRequested();

                // The monitor has stopped, so there is nothing left to wait for.
                await first.ConfigureAwait(false);
            }
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    /// <summary>
    /// Returns the replicas whose timeline includes the position, that were hardly behind at the last probe, and that replay fast enough to
    /// reach it in the remaining time. A replica that is paused or far behind is not waited for, unless it was requested by name.
    /// </summary>
    private static List<NodeState> Candidates(ClusterSnapshot snapshot, WalPosition position, string? onNode, TimeSpan left)
    {
        var candidates = new List<NodeState>();
        foreach (var node in snapshot.Nodes)
        {
            if (node.Status != ConcludedStatus.Replica || !Router.Leads(node, snapshot, position)) continue;
            if (onNode is not null && !string.Equals(node.Name, onNode, StringComparison.OrdinalIgnoreCase)) continue;
            var isThere = node.Lsn >= position.Lsn;
            var isInTime = !(node.ReplayRate is { } rate && (position.Lsn - node.Lsn) / rate > left.TotalSeconds);
            if (isThere || onNode is not null || (node.KeepsUp && isInTime)) candidates.Add(node);
        }

        return candidates;
    }

    /// <summary>
    /// Resolves what is in doubt. A commit stops being in doubt once the server processes that may still commit it are gone, and an open
    /// transaction once it has ended. The primary can report both.
    /// </summary>
    public async ValueTask SettleAsync(ConsistencySession? session, IoMode io, CancellationToken cancellationToken)
    {
        if (session is null || Monitor.Snapshot.Primary is not { } primary) return;
        if (session.OpenTransactions(primary) is { Length: > 0 } open)
            session.Settle(primary, await cluster.FindEndedAsync(primary.Index, open, io, cancellationToken).ConfigureAwait(false));
        if (session.BackendsInDoubt(primary) is not { Length: > 0 } backends) return;
        session.Settle(primary, await cluster.FindGoneAsync(primary.Index, backends, io, cancellationToken).ConfigureAwait(false));
    }

    public async ValueTask ResolveAsync(ConsistencySession session, long mark, IoMode io, CancellationToken cancellationToken)
    {
        if (await SamplePrimaryAsync(io, cancellationToken).ConfigureAwait(false) is { } sampled)
            Report(session.Resolve(mark, sampled, Monitor.Snapshot));
    }

    /// <summary>
    /// Samples the primary. Returns <see langword="null"/> if none exists, or it does not respond. A primary that rejected the probe
    /// keeps its status, but its positions are not a sample.
    /// </summary>
    private async ValueTask<NodeState?> SamplePrimaryAsync(IoMode io, CancellationToken cancellationToken)
    {
        if (Monitor.Snapshot.Primary is not { } primary) return null;
        var sampled = await SampleAsync(primary.Index, io, cancellationToken).ConfigureAwait(false);
        return sampled is { Status: ConcludedStatus.Primary, Failure: null, HidesPositions: false } ? sampled : null;
    }

    private async ValueTask<NodeState> SampleAsync(int nodeIndex, IoMode io, CancellationToken cancellationToken) =>
        io == IoMode.Async ? await Monitor.SampleAsync(nodeIndex, cancellationToken).ConfigureAwait(false) : Monitor.Sample(nodeIndex);

    /// <summary>Probes every node once, or waits until it is clear that it does not respond.</summary>
    private async ValueTask SampleAllAsync(IoMode io, CancellationToken cancellationToken)
    {
        if (io == IoMode.Async)
            await Task.WhenAll(Monitor.Snapshot.Nodes.Select(node => Monitor.SampleAsync(node.Index, cancellationToken)))
            .ConfigureAwait(false);
        else Monitor.SampleAll();
    }

    /// <summary>Reports a lost write: log, metric, event, and optionally an exception.</summary>
    public void Report(LostWrite? lost)
    {
        if (lost is null) return;
        LostWrites.Add(1, new KeyValuePair<string, object?>("tidemark.certain", lost.IsCertain));
        Log.WriteLost(cluster.Logger, lost.ToString());
        report(lost);
    }
}
