using System.Collections.Immutable;

namespace Tidemark.Verification;

/// <summary>What the worlds of a campaign found, added up.</summary>
public sealed record SimulationCampaignResult
{
    /// <summary>How many failing seeds are told one by one; <see cref="FailingSeedCount"/> goes on.</summary>
    public const int MaxFailingSeedsListed = 100;

    /// <summary>What was asked for.</summary>
    public required SimulationCampaignOptions Options { get; init; }

    /// <summary>Seeds that were run: fewer than asked for when the campaign was cancelled, or stopped at a finding.</summary>
    public int Seeds { get; init; }

    /// <summary>Reads and writes that ended.</summary>
    public long Operations { get; init; }

    /// <summary>Reads that were answered.</summary>
    public long Reads { get; init; }

    /// <summary>Reads of sessions that a replica served.</summary>
    public long OnReplicas { get; init; }

    /// <summary>Reads of sessions that an oracle with true positions would have given to a replica.</summary>
    public long CouldBeOnReplicas { get; init; }

    /// <summary>How many violations of each kind there are; kinds without any are left out.</summary>
    public ImmutableSortedDictionary<ViolationKind, long> ViolationsByKind { get; init; } = ImmutableSortedDictionary<ViolationKind,
        long>.Empty;

    /// <summary>Invariants of the library that broke.</summary>
    public long BrokenInvariants { get; init; }

    /// <summary>Acknowledged writes that a failover lost, reported or not.</summary>
    public long LostWrites { get; init; }

    /// <summary>Sessions that lost something in a failover and were not told.</summary>
    public long LostWritesUnreported => ViolationsByKind.GetValueOrDefault(ViolationKind.SilentLoss);

    /// <summary>Seeds that were run a second time, to see the same run again.</summary>
    public int DeterminismChecked { get; init; }

    /// <summary>How many seeds found something.</summary>
    public int FailingSeedCount { get; init; }

    /// <summary>The smallest seeds that found something, at most <see cref="MaxFailingSeedsListed"/>.</summary>
    public ImmutableArray<FailingSeed> FailingSeeds { get; init; } = [];

    /// <summary>How long it took.</summary>
    public TimeSpan Elapsed { get; init; }

    /// <summary>It was cancelled: the figures are those of the seeds that had been run.</summary>
    public bool IsCancelled { get; init; }

    /// <summary>Violations of all kinds.</summary>
    public long Violations => ViolationsByKind.Values.Sum();

    /// <summary>
    /// Reads that replicas served, of those that they could have served: 0 to 1; <see langword="null"/> where none could have been.
    /// </summary>
    public double? OffloadEfficiency => CouldBeOnReplicas == 0 ? null : (double)OnReplicas / CouldBeOnReplicas;

    /// <summary>
    /// Reads that replicas served, of all reads that were answered: 0 to 1; <see langword="null"/> where there were none.
    /// </summary>
    public double? ShareOnReplicas => Reads == 0 ? null : (double)OnReplicas / Reads;

    /// <summary>Violations in 10,000 reads; <see langword="null"/> where there were none.</summary>
    public double? ViolationsPer10000Reads => Reads == 0 ? null : 10_000.0 * Violations / Reads;

    /// <summary>Operations in a second on each of the threads, those of second runs not counted; 0 where no time passed.</summary>
    public double OperationsPerSecondAndCore => Elapsed > TimeSpan.Zero ? Operations / Elapsed.TotalSeconds / Options.Parallelism : 0;

    /// <summary>No seed found anything.</summary>
    public bool IsClean => FailingSeedCount == 0;
}
