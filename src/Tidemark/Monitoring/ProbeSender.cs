namespace Tidemark;

/// <summary>Sends the probes of one node. The monitor sends a probe only after the one before it was answered.</summary>
internal abstract class ProbeSender
{
    /// <summary>Takes the result of each probe, on any thread, perhaps before <see cref="Send"/> returns.</summary>
    public Action<ProbeResult> Answered { get; set; } = static _ => { };

    /// <summary>
    /// The monotonic time by which the answer must arrive; <see langword="null"/>: the probe time-out counts from sending.
    /// </summary>
    public virtual long? DueBy => null;

    /// <summary>
    /// How long that is, counted from the step of the probe that is under way; <see langword="null"/>: the probe time-out.
    /// </summary>
    public virtual TimeSpan? Allowance => null;

    /// <summary>Begins one probe. Does not block.</summary>
    /// <param name="asked">What may still be committed: the result names the part of it that has ended.</param>
    public abstract void Send(Unsettled asked);
}
