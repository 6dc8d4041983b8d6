using System.Collections.Immutable;
using NpgsqlTypes;

namespace Tidemark;

/// <summary>The forks and crashes that connect earlier timelines to the current one. Immutable; evaluation is pure.</summary>
internal sealed class TimelineChain
{
    private readonly ImmutableArray<Fork> _forks;
    private readonly ImmutableArray<Crash> _crashes;

    private TimelineChain(ImmutableArray<Fork> forks, ImmutableArray<Crash> crashes) => (_forks, _crashes) = (forks, crashes);

    public static TimelineChain Empty { get; } = new([], []);

    /// <summary>The current epoch of the primary, as a count of the crashes that this process has detected.</summary>
    public int PrimaryEpoch => _crashes.Length;

    /// <summary>Adds a fork that probes have narrowed to a range. An exact fork of the same timeline is kept.</summary>
    public TimelineChain With(Fork fork) =>
        _forks.Any(f => f.Child == fork.Child && f.AtLeast == f.AtMost)
            ? this : new(_forks.RemoveAll(f => f.Child == fork.Child).Add(fork), _crashes);

    /// <summary>Adds the forks from the history file of a server, which are exact.</summary>
    public TimelineChain With(IReadOnlyList<Fork> exact) =>
        new(_forks.RemoveAll(f => exact.Any(e => e.Child == f.Child)).AddRange(exact), _crashes);

    public TimelineChain WithCrash(uint timeline, NpgsqlLogSequenceNumber atLeast, NpgsqlLogSequenceNumber atMost,
        bool isRollback = false) =>
        new(_forks, _crashes.Add(new Crash(timeline, atLeast, atMost, _crashes.Length + 1, isRollback)));

    /// <summary>
    /// Returns whether the storage of the primary was rolled back after the given epoch, as far as this process has observed.
    /// </summary>
    public bool IsRolledBackSince(int primaryEpoch)
    {
        foreach (var crash in _crashes)
            if (crash.IsRollback && crash.PrimaryEpoch > primaryEpoch) return true;
        return false;
    }

    /// <summary>Returns whether the history of the current timeline includes the WAL position.</summary>
    /// <param name="learned">The WAL position, and the epoch of the primary in which it was sampled.</param>
    /// <param name="current">The current timeline of the cluster.</param>
    public Survival SurvivalOf(KnownPosition learned, uint current)
    {
        var survival = SurvivedCrashes(learned);
        var timeline = current;
        var isExact = false;
        while (timeline != learned.Position.Timeline && survival != Survival.Lost)
        {
            // The history file of a server lists every ancestor. Probes may have missed a timeline, and cannot cover later ones.
            if (timeline < learned.Position.Timeline) return isExact ? Survival.Lost : Survival.MayBeLost;
            if (Find(timeline) is not { } fork) return Survival.MayBeLost;
            survival = Worse(survival, Before(learned.Position.Lsn, fork.AtLeast, fork.AtMost));
            isExact = fork.AtLeast == fork.AtMost;
            timeline = fork.Parent;
        }

        return survival;
    }

    /// <summary>Returns whether a node that follows the timeline has the WAL position once it has replayed up to the LSN.</summary>
    public bool Leads(WalPosition position, uint timeline)
    {
        while (timeline != position.Timeline)
        {
            if (timeline < position.Timeline || Find(timeline) is not { } fork || position.Lsn > fork.AtLeast) return false;
            timeline = fork.Parent;
        }

        return true;
    }

    /// <summary>Returns the position at which a timeline began, or <see langword="null"/> if it is not known exactly.</summary>
    public NpgsqlLogSequenceNumber? BeginOf(uint timeline) =>
        Find(timeline) is { } fork && fork.AtLeast == fork.AtMost ? fork.AtMost : null;

    /// <summary>Describes how the timeline of the WAL position was left.</summary>
    public string DescribeEnd(WalPosition position)
    {
        foreach (var fork in _forks)
        {
            if (fork.Parent == position.Timeline)
                return fork.AtLeast == fork.AtMost
                    ? $"timeline {fork.Child} forked from it at {fork.AtMost}"
                    : $"timeline {fork.Child} forked from it between {fork.AtLeast} and {fork.AtMost}";
        }

        foreach (var crash in _crashes.Reverse())
        {
            if (crash.Timeline == position.Timeline)
                return $"the primary crashed and kept all WAL up to {crash.AtLeast}, possibly up to {crash.AtMost}";
        }

        return "the end of the timeline is unknown";
    }

    private Fork? Find(uint child)
    {
        foreach (var fork in _forks)
            if (fork.Child == child) return fork;
        return null;
    }

    private Survival SurvivedCrashes(KnownPosition learned)
    {
        var survival = Survival.Holds;
        foreach (var crash in _crashes)
        {
            if (crash.Timeline != learned.Position.Timeline || learned.PrimaryEpoch >= crash.PrimaryEpoch) continue;
            var survived = Before(learned.Position.Lsn, crash.AtLeast, crash.AtMost);

            // A position from another process carries no epoch of the primary. Beyond the crash point it may belong to the next epoch. If
            // it was received after the crash was recorded, it is assumed to.
            if (survived == Survival.Lost && learned.PrimaryEpoch == KnownPosition.Unknown)
                survived = learned.ReceivedIn < crash.PrimaryEpoch ? Survival.MayBeLost : Survival.Holds;
            survival = Worse(survival, survived);
        }

        return survival;
    }

    private static Survival Before(NpgsqlLogSequenceNumber lsn, NpgsqlLogSequenceNumber atLeast, NpgsqlLogSequenceNumber atMost) =>
        lsn <= atLeast ? Survival.Holds : lsn > atMost ? Survival.Lost : Survival.MayBeLost;

    private static Survival Worse(Survival one, Survival other) => one > other ? one : other;
}
