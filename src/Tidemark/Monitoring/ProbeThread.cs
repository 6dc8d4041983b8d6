namespace Tidemark;

/// <summary>
/// Probes one node on its own background thread with synchronous I/O, so that probes work even if callers exhaust the thread pool. The
/// thread starts with the first probe. It ends after <see cref="Stop"/>, as soon as a probe that hangs has timed out.
/// </summary>
/// <param name="name">The name of the node.</param>
/// <param name="probe">Probes the node. The thread owns and disposes it.</param>
/// <param name="deadline">The deadline for each response.</param>
/// <param name="time">The clock.</param>
internal sealed class ProbeThread(string name, NodeProbe probe, ProbeDeadline deadline, TimeProvider time) : ProbeSender
{
    // Password providers and TLS callbacks run on this thread. The driver itself needs far less.
    private const int StackSize = 512 * 1024;

    private readonly object _gate = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Unsettled? _asked;
    private bool _isStarted;
    private bool _isStopping;

    public override long? DueBy => deadline.DueBy;

    public override TimeSpan? Allowance => deadline.Allowance;

    /// <summary>Maximum time for opening a connection.</summary>
    public TimeSpan LongestConnect => deadline.LongestConnect;

    /// <summary>Runs on the probe thread with each response, before the monitor receives it.</summary>
    public Action<ProbeAnswer> BeforeAnswer { get; set; } = static _ => { };

    public override void Send(Unsettled asked)
    {
        deadline.Sent();
        lock (_gate)
        {
            _asked = asked;
            if (!_isStarted && !_isStopping)
            {
                // UnsafeStart: the thread outlives the caller. The caller's trace and session must not flow into it.
                new Thread(Run, StackSize) { IsBackground = true, Name = $"tidemark probe {name}" }.UnsafeStart();
                _isStarted = true;
            }

            Monitor.Pulse(_gate);
        }
    }

    /// <summary>Ends the thread after the current probe.</summary>
    /// <returns>A task that completes when the thread has closed its connection.</returns>
    public Task Stop()
    {
        lock (_gate)
        {
            if (!_isStarted && !_isStopping) End();
            _isStopping = true;
            Monitor.Pulse(_gate);
        }

        return _ended.Task;
    }

    private void Run()
    {
        while (Next() is { } asked)
        {
            ProbeResult result;
            try
            {
                result = probe.Ask(asked, deadline);
                BeforeAnswer(result.Answer);
            }
#pragma warning disable CA1031 // No exception may end the thread: a node that is never probed again would keep its last state.
            catch (Exception e)
#pragma warning restore CA1031
            {
                result = new ProbeResult(ProbeAnswer.Failed(NodeProbe.Describe(e)), time.GetTimestamp(), Unsettled.None);
            }

            Answered(result);
        }

        End();
    }

    private Unsettled? Next()
    {
        lock (_gate)
        {
            while (_asked is null && !_isStopping) Monitor.Wait(_gate);
            var asked = _isStopping ? null : _asked;
            _asked = null;
            return asked;
        }
    }

    private void End()
    {
        try
        {
            probe.Dispose();
        }
#pragma warning disable CA1031 // The connection is discarded in any case, and an exception on this thread would end the process.
        catch (Exception)
#pragma warning restore CA1031
        {
        }

        _ended.TrySetResult();
    }
}
