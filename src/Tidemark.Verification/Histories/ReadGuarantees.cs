namespace Tidemark.Verification;

/// <summary>
/// The session guarantees that a read required. Every read is checked for showing a prefix of history, and for its staleness if it had a
/// bound.
/// </summary>
[Flags]
public enum ReadGuarantees
{
    /// <summary>No guarantee: level <c>Eventual</c>, or a staleness bound only. What the read shows still counts as observed.</summary>
    None = 0,

    /// <summary>The read must contain everything that the session wrote before.</summary>
    ReadYourWrites = 1,

    /// <summary>The read must contain everything that the session's reads showed before, on any node.</summary>
    MonotonicReads = 2,

    /// <summary>Both guarantees: level <c>Session</c>.</summary>
    Session = ReadYourWrites | MonotonicReads,
}
