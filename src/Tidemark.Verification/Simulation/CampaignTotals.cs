using System.Collections.Immutable;

namespace Tidemark.Verification;

/// <summary>Adds up the results of worlds that run on several threads.</summary>
internal sealed class CampaignTotals(SimulationCampaignOptions options)
{
    private readonly Lock _lock = new();
    private readonly long _began = options.Time.GetTimestamp();
    private readonly long[] _violations = new long[Enum.GetValues<ViolationKind>().Length];
    private readonly SortedDictionary<int, FailingSeed> _failing = [];
    private int _seeds;
    private int _failingCount;
    private int _repeated;
    private long _operations;
    private long _reads;
    private long _onReplicas;
    private long _couldBeOnReplicas;
    private long _broken;
    private long _lost;

    public void Add(SimulationRun? run, FailingSeed? failing, bool isRunTwice)
    {
        lock (_lock)
        {
            _seeds++;
            if (isRunTwice) _repeated++;
            if (run is not null) Add(run);
            if (failing is not null) Add(failing);

            // Under the lock, so that the reported progress never decreases.
            options.Progress?.Report(new SimulationCampaignProgress(_seeds, options.Seeds, _operations, _failingCount));
        }
    }

    public SimulationCampaignResult Close(bool isCancelled) => new()
    {
        Options = options, Seeds = _seeds, Operations = _operations, Reads = _reads, OnReplicas = _onReplicas,
            CouldBeOnReplicas = _couldBeOnReplicas,
        ViolationsByKind = Enum.GetValues<ViolationKind>().Where(kind => _violations[(int)kind] > 0)
            .ToImmutableSortedDictionary(kind => kind, kind => _violations[(int)kind]),
        BrokenInvariants = _broken, LostWrites = _lost, DeterminismChecked = _repeated, FailingSeedCount = _failingCount,
        FailingSeeds = [.. _failing.Values], Elapsed = options.Time.GetElapsedTime(_began), IsCancelled = isCancelled,
    };

    private void Add(SimulationRun run)
    {
        _operations += run.Operations;
        _reads += run.Reads;
        _onReplicas += run.OnReplicas;
        _couldBeOnReplicas += run.CouldBeOnReplicas;
        _broken += run.BrokenInvariants.Length;
        _lost += run.Verdict.LostWrites.Length;
        for (var kind = 0; kind < _violations.Length; kind++) _violations[kind] += run.Verdict.Count((ViolationKind)kind);
    }

    private void Add(FailingSeed failing)
    {
        _failingCount++;
        _failing.Add(failing.Seed, failing);
        if (_failing.Count > SimulationCampaignResult.MaxFailingSeedsListed) _failing.Remove(_failing.Keys.Last());
    }
}
