namespace Tidemark;

/// <summary>Sends the probes of one node. The monitor sends a probe only after the previous one has completed.</summary>
internal abstract class ProbeSender
{
    /// <summary>Receives the result of each probe, on any thread, possibly before <see cref="Send"/> returns.</summary>
    public Action<ProbeResult> Answered { get; set; } = static _ => { };

    /// <summary>
    /// Monotonic time by which the response must arrive, or <see langword="null"/> if the probe timeout counts from sending.
    /// </summary>
    public virtual long? DueBy => null;

    /// <summary>Maximum time for the current phase of the probe, or <see langword="null"/> if the probe timeout applies.</summary>
    public virtual TimeSpan? Allowance => null;

    /// <summary>Starts one probe without blocking.</summary>
    /// <param name="asked">Backends and transactions that may still commit. The result contains those that have ended.</param>
    public abstract void Send(Unsettled asked);
}
