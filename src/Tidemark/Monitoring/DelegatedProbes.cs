namespace Tidemark;

/// <summary>Sends the probes of one node by calling a delegate, for simulations and for tests without servers.</summary>
/// <param name="ask">Probes the node.</param>
/// <param name="index">The index of the node.</param>
/// <param name="time">The clock.</param>
/// <param name="stop">Cancelled when the monitor ends.</param>
internal sealed class DelegatedProbes(ProbeNode ask, int index, TimeProvider time, CancellationToken stop) : ProbeSender
{
    public override void Send(Unsettled asked) => _ = QueryAsync();

    private async Task QueryAsync()
    {
        ProbeAnswer answer;
        try
        {
            answer = await ask(index, stop).ConfigureAwait(false);
        }
#pragma warning disable CA1031 // An exception from a probe is a failed result: callers wait for a result.
        catch (Exception e)
#pragma warning restore CA1031
        {
            answer = ProbeAnswer.Failed(NodeProbe.Describe(e));
        }

        Answered(new ProbeResult(answer, time.GetTimestamp(), Unsettled.None));
    }
}
