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
    public int Incarnation => _crashes.Length;

    /// <summary>With a fork that probes bracketed. What is known exactly stays.</summary>
    public TimelineChain With(Fork fork) =>
        _forks.Any(f => f.Child == fork.Child && f.AtLeast == f.AtMost) ? this : new(_forks.RemoveAll(f => f.Child == fork.Child).Add(fork), _crashes);

    /// <summary>With the forks that a server's own history file tells, which are exact.</summary>
    public TimelineChain With(IReadOnlyList<Fork> exact) =>
        new(_forks.RemoveAll(f => exact.Any(e => e.Child == f.Child)).AddRange(exact), _crashes);

    public TimelineChain WithCrash(uint timeline, NpgsqlLogSequenceNumber atLeast, NpgsqlLogSequenceNumber atMost, bool isRollback = false) =>
        new(_forks, _crashes.Add(new Crash(timeline, atLeast, atMost, _crashes.Length + 1, isRollback)));

    /// <summary>The primary's storage was rolled back after this life, as far as was seen.</summary>
    public bool IsRolledBackSince(int incarnation)
    {
        foreach (var crash in _crashes)
            if (crash.IsRollback && crash.Incarnation > incarnation) return true;
        return false;
    }

    /// <summary>Whether the history that leads to the current timeline contains the place.</summary>
    /// <param name="stamp">The place, and the primary's life in which it was taken.</param>
    /// <param name="current">The timeline that history is on now.</param>
    public PlaceFate Judge(Stamp stamp, uint current)
    {
        var fate = SurvivedCrashes(stamp);
        var timeline = current;
        var isExact = false;
        while (timeline != stamp.Place.Timeline && fate != PlaceFate.Lost)
        {
            // A server's own history names every ancestor. Probes may have missed one, and know nothing of what is still to come.
            if (timeline < stamp.Place.Timeline) return isExact ? PlaceFate.Lost : PlaceFate.MayBeLost;
            if (Find(timeline) is not { } fork) return PlaceFate.MayBeLost;
            fate = Worse(fate, Before(stamp.Place.Lsn, fork.AtLeast, fork.AtMost));
            isExact = fork.AtLeast == fork.AtMost;
            timeline = fork.Parent;
        }

        return fate;
    }

    /// <summary>Whether a node on the timeline contains the place once it has reached the position.</summary>
    public bool Leads(Place place, uint timeline)
    {
        while (timeline != place.Timeline)
        {
            if (timeline < place.Timeline || Find(timeline) is not { } fork || place.Lsn > fork.AtLeast) return false;
            timeline = fork.Parent;
        }

        return true;
    }

    /// <summary>Where a timeline began, when that is known exactly.</summary>
    public NpgsqlLogSequenceNumber? BeginOf(uint timeline) => Find(timeline) is { } fork && fork.AtLeast == fork.AtMost ? fork.AtMost : null;

    /// <summary>Where the place's timeline was left, in words.</summary>
    public string DescribeEnd(Place place)
    {
        foreach (var fork in _forks)
        {
            if (fork.Parent == place.Timeline)
                return fork.AtLeast == fork.AtMost
                    ? $"timeline {fork.Child} left it at {fork.AtMost}"
                    : $"timeline {fork.Child} left it between {fork.AtLeast} and {fork.AtMost}";
        }

        foreach (var crash in _crashes.Reverse())
        {
            if (crash.Timeline == place.Timeline)
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

    private PlaceFate SurvivedCrashes(Stamp stamp)
    {
        var fate = PlaceFate.Holds;
        foreach (var crash in _crashes)
        {
            if (crash.Timeline != stamp.Place.Timeline || stamp.Incarnation >= crash.Incarnation) continue;
            var survived = Before(stamp.Place.Lsn, crash.AtLeast, crash.AtMost);

            // Whoever came from another process does not know in which life of the primary it was written: beyond the crash it may be of the next, all
            // the more if the crash was known when it came.
            if (survived == PlaceFate.Lost && stamp.Incarnation == Stamp.Unknown) survived = stamp.CameIn < crash.Incarnation ? PlaceFate.MayBeLost : PlaceFate.Holds;
            fate = Worse(fate, survived);
        }

        return fate;
    }

    private static PlaceFate Before(NpgsqlLogSequenceNumber lsn, NpgsqlLogSequenceNumber atLeast, NpgsqlLogSequenceNumber atMost) =>
        lsn <= atLeast ? PlaceFate.Holds : lsn > atMost ? PlaceFate.Lost : PlaceFate.MayBeLost;

    private static PlaceFate Worse(PlaceFate one, PlaceFate other) => one > other ? one : other;
}
