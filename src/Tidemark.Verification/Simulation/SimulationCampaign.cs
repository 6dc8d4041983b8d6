namespace Tidemark.Verification;

/// <summary>
/// Runs many worlds, each from its own seed and on one thread from beginning to end, and adds up what they find. What it says of a seed
/// depends on nothing but the seed.
/// </summary>
public static class SimulationCampaign
{
    /// <summary>Runs the worlds of a campaign; the calling thread waits.</summary>
    /// <param name="options">Which worlds.</param>
    /// <param name="cancellationToken">Begins no further world; those under way are finished and counted.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its bounds.</exception>
    public static SimulationCampaignResult Run(SimulationCampaignOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Seeds, 1, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Parallelism, 1, nameof(options));
        ArgumentOutOfRangeException.ThrowIfNegative(options.CheckDeterminismEvery, nameof(options));
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)options.FirstSeed + options.Seeds - 1, int.MaxValue, nameof(options));

        var totals = new CampaignTotals(options);
        var work = new SeedQueue(options, cancellationToken);
        // Threads of their own have no context to which a world's continuations could escape, and starve nobody's pool.
        var threads = Enumerable.Range(0, Math.Min(options.Parallelism, options.Seeds))
            .Select(i => new Thread(() => Work(options, work, totals)) { IsBackground = true, Name = $"simulation {i + 1}" })
            .ToArray();
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads) thread.Join();
        return totals.Close(isCancelled: work.IsCancelled);
    }

    /// <summary>Counts the seeds until a planted fault is caught.</summary>
    /// <param name="fault">The fault.</param>
    /// <param name="options">Where to begin, and how many seeds at most.</param>
    /// <param name="cancellationToken">Begins no further world.</param>
    public static FaultHunt Hunt(PlantedFault fault, SimulationCampaignOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        var result = Run(options with { Fault = fault, StopAtFirstFinding = true, CheckDeterminismEvery = 0 }, cancellationToken);
        var by = result.FailingSeeds.FirstOrDefault();
        if (by?.Finding == SimulationFinding.Error) throw new InvalidOperationException($"With {fault} the simulation itself failed: {by}");
        return new FaultHunt(fault, by is null ? result.Seeds : by.Seed - options.FirstSeed + 1, by, result.IsCancelled && by is null);
    }

    private static void Work(SimulationCampaignOptions options, SeedQueue work, CampaignTotals totals)
    {
        while (work.TryTake(out var index))
        {
            var seed = options.FirstSeed + index;
            var (run, failing) = Evaluate(options.World(seed));
            var isRepeated = options.CheckDeterminismEvery > 0 && index % options.CheckDeterminismEvery == 0 && run is not null;
            if (isRepeated && failing is null && Evaluate(options.World(seed)).Run?.TraceHash != run!.TraceHash)
                failing = new FailingSeed(seed, SimulationFinding.AnotherRun, "the same seed gave another run the second time.");
            if (failing is not null && options.StopAtFirstFinding) work.EndAfter(index);
            totals.Add(run, failing, isRepeated);
        }
    }

    private static (SimulationRun? Run, FailingSeed? Failing) Evaluate(SimulationOptions world)
    {
        try
        {
            var run = SimulatedCluster.Run(world);
            var failing = run switch
            {
                { Verdict.IsClean: false } => new FailingSeed(world.Seed, SimulationFinding.Violation, run.Verdict.Violations[0].Text),
                { BrokenInvariants.IsEmpty: false } =>
                    new FailingSeed(world.Seed, SimulationFinding.BrokenInvariant, run.BrokenInvariants[0]),
                _ => null,
            };
            return (run, failing);
        }
        catch (HistoryException e)
        {
            return (null, new FailingSeed(world.Seed, SimulationFinding.Contradiction, e.Message));
        }
#pragma warning disable CA1031 // Whatever a seed ends with, the seed is what is needed to see it again; the other seeds go on.
        catch (Exception e)
#pragma warning restore CA1031
        {
            return (null, new FailingSeed(world.Seed, SimulationFinding.Error, e.ToString()));
        }
    }

    /// <summary>Hands out seeds in their order, so that all before one that stops the campaign have been begun.</summary>
    private sealed class SeedQueue(SimulationCampaignOptions options, CancellationToken cancellationToken)
    {
        private readonly Lock _lock = new();
        private int _next;
        private int _end = options.Seeds;

        public bool IsCancelled { get; private set; }

        public bool TryTake(out int index)
        {
            lock (_lock)
            {
                index = _next;
                if (_next >= _end) return false;
                if (cancellationToken.IsCancellationRequested) return !(IsCancelled = true);
                _next++;
                return true;
            }
        }

        public void EndAfter(int index)
        {
            lock (_lock) _end = Math.Min(_end, index + 1);
        }
    }
}
