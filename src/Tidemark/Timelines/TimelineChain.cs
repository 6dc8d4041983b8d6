using System.Collections.Immutable;
using NpgsqlTypes;

namespace Tidemark;

/// <summary>The way from the timelines of the past to the current one. Immutable; judging is pure.</summary>
internal sealed class TimelineChain
{
    private readonly ImmutableArray<Fork> _forks;
    private readonly ImmutableArray<Crash> _crashes;

    private TimelineChain(ImmutableArray<Fork> forks, ImmutableArray<Crash> crashes) => (_forks, _crashes) = (forks, crashes);

    public static TimelineChain Empty { get; } = new([], []);

    /// <summary>The primary's life on its timeline, as this process counts crashes.</summary>
    public int PrimaryEpoch => _crashes.Length;

    /// <summary>With a fork that probes bracketed. What is known exactly stays.</summary>
    public TimelineChain With(Fork fork) =>
        _forks.Any(f => f.Child == fork.Child && f.AtLeast == f.AtMost)
            ? this : new(_forks.RemoveAll(f => f.Child == fork.Child).Add(fork), _crashes);

    /// <summary>With the forks that a server's own history file tells, which are exact.</summary>
    public TimelineChain With(IReadOnlyList<Fork> exact) =>
        new(_forks.RemoveAll(f => exact.Any(e => e.Child == f.Child)).AddRange(exact), _crashes);

    public TimelineChain WithCrash(uint timeline, NpgsqlLogSequenceNumber atLeast, NpgsqlLogSequenceNumber atMost,
        bool isRollback = false) =>
        new(_forks, _crashes.Add(new Crash(timeline, atLeast, atMost, _crashes.Length + 1, isRollback)));

    /// <summary>The primary's storage was rolled back after this life, as far as was seen.</summary>
    public bool IsRolledBackSince(int primaryEpoch)
    {
        foreach (var crash in _crashes)
            if (crash.IsRollback && crash.PrimaryEpoch > primaryEpoch) return true;
        return false;
    }

    /// <summary>Whether the history that leads to the current timeline contains the place.</summary>
    /// <param name="learned">The place, and the primary's life in which it was taken.</param>
    /// <param name="current">The timeline that history is on now.</param>
    public Survival SurvivalOf(LearnedPosition learned, uint current)
    {
        var survival = SurvivedCrashes(learned);
        var timeline = current;
        var isExact = false;
        while (timeline != learned.Position.Timeline && survival != Survival.Lost)
        {
            // A server's own history names every ancestor. Probes may have missed one, and know nothing of what is still to come.
            if (timeline < learned.Position.Timeline) return isExact ? Survival.Lost : Survival.MayBeLost;
            if (Find(timeline) is not { } fork) return Survival.MayBeLost;
            survival = Worse(survival, Before(learned.Position.Lsn, fork.AtLeast, fork.AtMost));
            isExact = fork.AtLeast == fork.AtMost;
            timeline = fork.Parent;
        }

        return survival;
    }

    /// <summary>Whether a node on the timeline contains the place once it has reached the position.</summary>
    public bool Leads(WalPosition position, uint timeline)
    {
        while (timeline != position.Timeline)
        {
            if (timeline < position.Timeline || Find(timeline) is not { } fork || position.Lsn > fork.AtLeast) return false;
            timeline = fork.Parent;
        }

        return true;
    }

    /// <summary>Where a timeline began, when that is known exactly.</summary>
    public NpgsqlLogSequenceNumber? BeginOf(uint timeline) =>
        Find(timeline) is { } fork && fork.AtLeast == fork.AtMost ? fork.AtMost : null;

    /// <summary>Where the place's timeline was left, in words.</summary>
    public string DescribeEnd(WalPosition position)
    {
        foreach (var fork in _forks)
        {
            if (fork.Parent == position.Timeline)
                return fork.AtLeast == fork.AtMost
                    ? $"timeline {fork.Child} left it at {fork.AtMost}"
                    : $"timeline {fork.Child} left it between {fork.AtLeast} and {fork.AtMost}";
        }

        foreach (var crash in _crashes.Reverse())
        {
            if (crash.Timeline == position.Timeline)
                return $"the primary crashed and kept everything to {crash.AtLeast}, perhaps as much as {crash.AtMost}";
        }

        return "where it was left is not known";
    }

    private Fork? Find(uint child)
    {
        foreach (var fork in _forks)
            if (fork.Child == child) return fork;
        return null;
    }

    private Survival SurvivedCrashes(LearnedPosition learned)
    {
        var survival = Survival.Holds;
        foreach (var crash in _crashes)
        {
            if (crash.Timeline != learned.Position.Timeline || learned.PrimaryEpoch >= crash.PrimaryEpoch) continue;
            var survived = Before(learned.Position.Lsn, crash.AtLeast, crash.AtMost);

            // Whoever came from another process does not know in which life of the primary it was written: beyond the crash it may be of
            // the next, all
            // the more if the crash was known when it came.
            if (survived == Survival.Lost && learned.PrimaryEpoch == LearnedPosition.Unknown)
                survived = learned.ReceivedIn < crash.PrimaryEpoch ? Survival.MayBeLost : Survival.Holds;
            survival = Worse(survival, survived);
        }

        return survival;
    }

    private static Survival Before(NpgsqlLogSequenceNumber lsn, NpgsqlLogSequenceNumber atLeast, NpgsqlLogSequenceNumber atMost) =>
        lsn <= atLeast ? Survival.Holds : lsn > atMost ? Survival.Lost : Survival.MayBeLost;

    private static Survival Worse(Survival one, Survival other) => one > other ? one : other;
}
