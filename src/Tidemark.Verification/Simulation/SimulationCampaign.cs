namespace Tidemark.Verification;

/// <summary>
/// Runs many worlds, each from its own seed and on a single thread, and adds up their findings. The result of a seed depends on the seed
/// only.
/// </summary>
public static class SimulationCampaign
{
    /// <summary>Runs the worlds of a campaign. Blocks the calling thread.</summary>
    /// <param name="options">The worlds to run.</param>
    /// <param name="cancellationToken">Cancels the campaign. No further world begins. Worlds in progress are completed and counted.</param>
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
        // Dedicated threads have no synchronization context to which a world's continuations could escape, and do not starve the thread
        // pool.
        var threads = Enumerable.Range(0, Math.Min(options.Parallelism, options.Seeds))
            .Select(i => new Thread(() => Work(options, work, totals)) { IsBackground = true, Name = $"simulation {i + 1}" })
            .ToArray();
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads) thread.Join();
        return totals.Close(isCancelled: work.IsCancelled);
    }

    /// <summary>Counts the seeds until a planted fault is caught.</summary>
    /// <param name="fault">The fault.</param>
    /// <param name="options">The first seed, and the maximum number of seeds.</param>
    /// <param name="cancellationToken">Cancels the search. No further world begins.</param>
    public static FaultHunt Hunt(PlantedFault fault, SimulationCampaignOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        var result = Run(options with { Fault = fault, StopAtFirstFinding = true, CheckDeterminismEvery = 0 }, cancellationToken);
        var by = result.FailingSeeds.FirstOrDefault();
        if (by?.Finding == SimulationFinding.Error)
            throw new InvalidOperationException($"The simulation itself failed with planted fault {fault}: {by}");
        return new FaultHunt(fault, by is null ? result.Seeds : by.Seed - options.FirstSeed + 1, by, result.IsCancelled && by is null);
    }

    private static void Work(SimulationCampaignOptions options, SeedQueue work, CampaignTotals totals)
    {
        while (work.TryTake(out var index))
        {
            var seed = options.FirstSeed + index;
            var (run, failing) = Evaluate(options.World(seed));
            var isRunTwice = options.CheckDeterminismEvery > 0 && index % options.CheckDeterminismEvery == 0 && run is not null;
            if (isRunTwice && failing is null && Evaluate(options.World(seed)).Run?.TraceHash != run!.TraceHash)
                failing = new FailingSeed(seed, SimulationFinding.AnotherRun, "a second run of the same seed differed from the first one.");
            if (failing is not null && options.StopAtFirstFinding) work.EndAfter(index);
            totals.Add(run, failing, isRunTwice);
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
#pragma warning disable CA1031 // A seed reproduces any error. The other seeds continue.
        catch (Exception e)
#pragma warning restore CA1031
        {
            return (null, new FailingSeed(world.Seed, SimulationFinding.Error, e.ToString()));
        }
    }

    /// <summary>Hands out seeds in order, so that all seeds before the one that stops the campaign have begun.</summary>
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
