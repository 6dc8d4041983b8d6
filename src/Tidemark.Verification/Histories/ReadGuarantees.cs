namespace Tidemark.Verification;

/// <summary>
/// What a read asked for of its session. That a read shows a prefix of history is judged whatever it asked for, and its staleness
/// whenever it came with a bound.
/// </summary>
[Flags]
public enum ReadGuarantees
{
    /// <summary>
    /// Nothing: the level <c>Eventual</c>, or a bound of staleness alone. What the read shows counts as seen all the same.
    /// </summary>
    None = 0,

    /// <summary>Everything that the session wrote before.</summary>
    ReadYourWrites = 1,

    /// <summary>Everything that the session's reads showed before, on whichever node.</summary>
    MonotonicReads = 2,

    /// <summary>Both: the level <c>Session</c>.</summary>
    Session = ReadYourWrites | MonotonicReads,
}
