using System.Collections.Immutable;

namespace Tidemark.Verification;

/// <summary>The sum of the findings of a campaign's worlds.</summary>
public sealed record SimulationCampaignResult
{
    /// <summary>Maximum number of failing seeds that are listed. <see cref="FailingSeedCount"/> counts all of them.</summary>
    public const int MaxFailingSeedsListed = 100;

    /// <summary>The options of the campaign.</summary>
    public required SimulationCampaignOptions Options { get; init; }

    /// <summary>Number of seeds that were run. It is less than requested if the campaign was cancelled or stopped at a finding.</summary>
    public int Seeds { get; init; }

    /// <summary>Number of reads and writes that ended.</summary>
    public long Operations { get; init; }

    /// <summary>Number of successful reads.</summary>
    public long Reads { get; init; }

    /// <summary>Number of session reads that a replica served.</summary>
    public long OnReplicas { get; init; }

    /// <summary>Number of session reads that an oracle with the true positions would have sent to a replica.</summary>
    public long CouldBeOnReplicas { get; init; }

    /// <summary>Number of violations by kind. Kinds without violations are omitted.</summary>
    public ImmutableSortedDictionary<ViolationKind, long> ViolationsByKind { get; init; } = ImmutableSortedDictionary<ViolationKind,
        long>.Empty;

    /// <summary>Number of broken invariants of the library.</summary>
    public long BrokenInvariants { get; init; }

    /// <summary>Number of acknowledged writes that a failover lost, reported or not.</summary>
    public long LostWrites { get; init; }

    /// <summary>Number of losses in a failover that were not reported to a session.</summary>
    public long LostWritesUnreported => ViolationsByKind.GetValueOrDefault(ViolationKind.SilentLoss);

    /// <summary>Number of seeds that were run a second time, to check that both runs are the same.</summary>
    public int DeterminismChecked { get; init; }

    /// <summary>Number of seeds with a finding.</summary>
    public int FailingSeedCount { get; init; }

    /// <summary>The smallest seeds with a finding, at most <see cref="MaxFailingSeedsListed"/>.</summary>
    public ImmutableArray<FailingSeed> FailingSeeds { get; init; } = [];

    /// <summary>Run time of the campaign.</summary>
    public TimeSpan Elapsed { get; init; }

    /// <summary>Whether the campaign was cancelled. The figures then cover the seeds that had been run.</summary>
    public bool IsCancelled { get; init; }

    /// <summary>Number of violations of all kinds.</summary>
    public long Violations => ViolationsByKind.Values.Sum();

    /// <summary>
    /// The share of reads that replicas served, of those that they could have served, from 0 to 1, or <see langword="null"/> if there were
    /// none.
    /// </summary>
    public double? OffloadEfficiency => CouldBeOnReplicas == 0 ? null : (double)OnReplicas / CouldBeOnReplicas;

    /// <summary>
    /// The share of reads that replicas served, of all successful reads, from 0 to 1, or <see langword="null"/> if there were none.
    /// </summary>
    public double? ShareOnReplicas => Reads == 0 ? null : (double)OnReplicas / Reads;

    /// <summary>Number of violations per 10,000 reads, or <see langword="null"/> if there were no reads.</summary>
    public double? ViolationsPer10000Reads => Reads == 0 ? null : 10_000.0 * Violations / Reads;

    /// <summary>Operations per second on each thread, without those of second runs, or 0 if no time passed.</summary>
    public double OperationsPerSecondAndCore => Elapsed > TimeSpan.Zero ? Operations / Elapsed.TotalSeconds / Options.Parallelism : 0;

    /// <summary>Whether no seed has a finding.</summary>
    public bool IsClean => FailingSeedCount == 0;
}
