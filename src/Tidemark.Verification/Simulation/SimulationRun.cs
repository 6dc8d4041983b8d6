using System.Collections.Immutable;

namespace Tidemark.Verification;

/// <summary>The result of a simulated world.</summary>
public sealed class SimulationRun
{
    internal SimulationRun(SimulationOptions options, string shape, History history, HistoryVerdict verdict, string hash,
        SimulationCounts counts)
    {
        Options = options with { Trace = null };
        Shape = shape;
        History = history;
        Verdict = verdict;
        TraceHash = hash;
        BrokenInvariants = [.. counts.Broken];
        Operations = counts.Operations;
        Reads = counts.Reads;
        OnReplicas = counts.OnReplicas;
        CouldBeOnReplicas = counts.CouldBeOnReplicas;
        FailedReads = counts.FailedReads;
        FailedWrites = counts.FailedWrites;
        ReadsByNode = counts.ReadsByNode.ToImmutableSortedDictionary(StringComparer.Ordinal);
    }

    /// <summary>The options of the run, including the seed.</summary>
    public SimulationOptions Options { get; }

    /// <summary>The parameters that were drawn from the seed, in one line.</summary>
    public string Shape { get; }

    /// <summary>The operations of the clients and their results.</summary>
    public History History { get; }

    /// <summary>The verdict of the checker on the history.</summary>
    public HistoryVerdict Verdict { get; }

    /// <summary>A fingerprint of the whole run. The same seed gives the same fingerprint.</summary>
    public string TraceHash { get; }

    /// <summary>
    /// Descriptions of the broken invariants of the library: an endless wait, a lease that was not returned, or no node although the
    /// primary was healthy.
    /// </summary>
    public ImmutableArray<string> BrokenInvariants { get; }

    /// <summary>Number of reads and writes that ended.</summary>
    public long Operations { get; }

    /// <summary>Number of successful reads.</summary>
    public long Reads { get; }

    /// <summary>Number of session reads that a replica served.</summary>
    public long OnReplicas { get; }

    /// <summary>Number of session reads that an oracle with the true positions would have sent to a replica.</summary>
    public long CouldBeOnReplicas { get; }

    /// <summary>Number of reads that ended with an error.</summary>
    public long FailedReads { get; }

    /// <summary>Number of writes that ended with an error or without a response.</summary>
    public long FailedWrites { get; }

    /// <summary>Number of reads that each node served.</summary>
    public ImmutableSortedDictionary<string, long> ReadsByNode { get; }

    /// <summary>Whether no guarantee was violated and no invariant was broken.</summary>
    public bool IsClean => Verdict.IsClean && BrokenInvariants.IsEmpty;
}
