using System.Diagnostics.Metrics;

namespace Tidemark;

/// <summary>
/// Learns what a session's reads must include, where that takes asking: samples the primary for what is pending, compares places with the
/// history that
/// the cluster went on with, waits for replicas. One sample serves all who wait for it. Reports what was lost; silence is not an option.
/// </summary>
internal sealed class WatermarkResolver(ClusterConnections cluster, LiveOptions options, TimeProvider time, Action<LostWrite> report)
{
    private static readonly Meter Meter = new("Tidemark");
    private static readonly Counter<long> LostWrites = Meter.CreateCounter<long>(
        "tidemark.lost_writes", "{write}", "Sessions that wrote or read something which the cluster's history went on without");

    private int _waiting;

    public ClusterConnections Cluster => cluster;

    private ClusterMonitor Monitor => cluster.Monitor;

    /// <summary>
    /// Before the first attempt: every node was asked once, places that came from elsewhere are known to exist, and it is known whether the
    /// replicas that served the
    /// session have followed a promotion.
    /// </summary>
    /// <param name="session">Of the read.</param>
    /// <param name="io">How to wait.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async ValueTask PrepareAsync(ConsistencySession? session, IoMode io, CancellationToken cancellationToken)
    {
        if (io == IoMode.Async) await Monitor.FirstRoundAsync(cancellationToken).ConfigureAwait(false);
        else Monitor.FirstRound();
        if (session is null) return;
        if (session.IsAheadOf(Monitor.Snapshot)) await SampleAllAsync(io, cancellationToken).ConfigureAwait(false);
        if (Monitor.Snapshot is not { Primary: { } primary } snapshot) return;
        foreach (var replica in session.ReplicasToAsk(primary, snapshot))
            await SampleAsync(replica, io, cancellationToken).ConfigureAwait(false);
        if (session.NeedsVerification(primary) && await SamplePrimaryAsync(io, cancellationToken).ConfigureAwait(false) is { } sampled)
            Report(session.Verify(sampled));
    }

    /// <summary>Tells the session what it has lost, as far as the latest snapshot shows.</summary>
    public void Validate(ConsistencySession? session) => Report(session?.Validate(Monitor.Snapshot));

    /// <summary>
    /// Tells the session what it has lost, by the very snapshot that its node was chosen from: history may have gone on since the attempt
    /// began, and no
    /// answer comes before the word. True: it has lost something, and what it must include is to be decided anew.
    /// </summary>
    public bool Validate(ConsistencySession? session, ClusterSnapshot snapshot)
    {
        if (session?.Validate(snapshot) is not { } lost) return false;
        Report(lost);
        return true;
    }

    /// <summary>
    /// A connection to the primary that no probe has witnessed may lead to a life of it that began with a loss. One sample tells, before
    /// the primary answers.
    /// </summary>
    public async ValueTask VerifyAsync(ConsistencySession? session, int nodeIndex, IoMode io, CancellationToken cancellationToken)
    {
        await SampleAsync(nodeIndex, io, cancellationToken).ConfigureAwait(false);
        Validate(session);
    }

    /// <summary>Resolves what is pending, so that it can be carried elsewhere.</summary>
    public async ValueTask ResolveAllAsync(ConsistencySession session, ConsistencyDemands what, CancellationToken cancellationToken)
    {
        await PrepareAsync(session, IoMode.Async, cancellationToken).ConfigureAwait(false);
        Validate(session);
        await SettleAsync(session, IoMode.Async, cancellationToken).ConfigureAwait(false);
        if (session.NeedsSample(what, Monitor.Snapshot, mayStay: false) is { } mark)
            await ResolveAsync(session, mark, IoMode.Async, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Waits until a replica that keeps up has replayed the place, or the wait is spent. All who wait for a node share its samples. False:
    /// none has,
    /// or it was not worth waiting.
    /// </summary>
    public ValueTask<bool> WaitAsync(WalPosition position, CancellationToken cancellationToken) =>
        WaitAsync(position, onNode: null, IoMode.Async, cancellationToken);

    /// <inheritdoc cref="WaitAsync(WalPosition, CancellationToken)"/>
    /// <param name="position">What a replica must have replayed.</param>
    /// <param name="onNode">The only node that will do; <see langword="null"/>: any.</param>
    /// <param name="io">How to wait. Blocking needs no thread of the pool.</param>
    /// <param name="cancellationToken">Gives up.</param>
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

                // A node that hangs answers after the probe time-out, which may be far beyond what the read can spend.
                using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);

                // Timers take whole milliseconds and cut off the rest: the loop would spin through the last one.
                var spent = new TaskCompletionSource();
                var whole = TimeSpan.FromMilliseconds(Math.Ceiling(left.TotalMilliseconds));
                using var timer =
                    time.CreateTimer(static spent => ((TaskCompletionSource)spent!).TrySetResult(), spent, whole, Timeout.InfiniteTimeSpan);
                var first = await Task.WhenAny([spent.Task, .. candidates.Select(node => Monitor.SampleAsync(node.Index, enough.Token))])
                    .ConfigureAwait(false);
                enough.Cancel();
                cancellationToken.ThrowIfCancellationRequested();

                // The monitor has ended: there is nothing to wait for any more.
                await first.ConfigureAwait(false);
            }
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    /// <summary>
    /// The replicas that lead through the place, were hardly behind when last asked, and replay fast enough to reach it in the time that is
    /// left. One that
    /// is paused or far behind is not waited for, unless it was named and nothing else will do.
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
    /// What is in doubt is settled once the server processes that may still commit it are gone, and an open transaction once it has ended;
    /// the primary knows both.
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
    /// The primary as it is now. Null: there is none, or it does not answer; one that refused the probe keeps its standing, with positions
    /// that are no sample.
    /// </summary>
    private async ValueTask<NodeState?> SamplePrimaryAsync(IoMode io, CancellationToken cancellationToken)
    {
        if (Monitor.Snapshot.Primary is not { } primary) return null;
        var sampled = await SampleAsync(primary.Index, io, cancellationToken).ConfigureAwait(false);
        return sampled is { Status: ConcludedStatus.Primary, Failure: null, HidesPositions: false } ? sampled : null;
    }

    private async ValueTask<NodeState> SampleAsync(int nodeIndex, IoMode io, CancellationToken cancellationToken) =>
        io == IoMode.Async ? await Monitor.SampleAsync(nodeIndex, cancellationToken).ConfigureAwait(false) : Monitor.Sample(nodeIndex);

    /// <summary>Asks every node once, or waits until it is clear that it does not answer.</summary>
    private async ValueTask SampleAllAsync(IoMode io, CancellationToken cancellationToken)
    {
        if (io == IoMode.Async)
            await Task.WhenAll(Monitor.Snapshot.Nodes.Select(node => Monitor.SampleAsync(node.Index, cancellationToken)))
            .ConfigureAwait(false);
        else Monitor.SampleAll();
    }

    /// <summary>Tells of a loss: log, metric, event, and by option an exception.</summary>
    public void Report(LostWrite? lost)
    {
        if (lost is null) return;
        LostWrites.Add(1, new KeyValuePair<string, object?>("tidemark.certain", lost.IsCertain));
        Log.WriteLost(cluster.Logger, lost.ToString());
        report(lost);
    }
}
