using System.Collections.Immutable;

namespace Tidemark.Verification;

/// <summary>How a simulated world went.</summary>
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

    /// <summary>What was asked for, the seed included.</summary>
    public SimulationOptions Options { get; }

    /// <summary>What the seed drew for the world, in one line.</summary>
    public string Shape { get; }

    /// <summary>What clients did and saw.</summary>
    public History History { get; }

    /// <summary>What the checker says to it.</summary>
    public HistoryVerdict Verdict { get; }

    /// <summary>A fingerprint of the whole run: the same seed gives the same.</summary>
    public string TraceHash { get; }

    /// <summary>
    /// Invariants of the library that broke, in words: a wait that never ended, a lease that did not come back, no node though the primary
    /// was well.
    /// </summary>
    public ImmutableArray<string> BrokenInvariants { get; }

    /// <summary>Reads and writes that ended.</summary>
    public long Operations { get; }

    /// <summary>Reads that were answered.</summary>
    public long Reads { get; }

    /// <summary>Reads of sessions that a replica served.</summary>
    public long OnReplicas { get; }

    /// <summary>Reads of sessions that an oracle with true positions would have given to a replica.</summary>
    public long CouldBeOnReplicas { get; }

    /// <summary>Reads that ended with an error.</summary>
    public long FailedReads { get; }

    /// <summary>Writes that ended with an error or without an answer.</summary>
    public long FailedWrites { get; }

    /// <summary>Reads that each node answered.</summary>
    public ImmutableSortedDictionary<string, long> ReadsByNode { get; }

    /// <summary>No promise and no invariant was broken.</summary>
    public bool IsClean => Verdict.IsClean && BrokenInvariants.IsEmpty;
}
