namespace Tidemark;

/// <summary>What of a session's history a read must include.</summary>
[Flags]
internal enum ConsistencyDemands
{
    None = 0,

    /// <summary>What the session wrote.</summary>
    Written = 1,

    /// <summary>What the session's reads may have shown.</summary>
    Seen = 2,

    /// <summary>Everything: the primary.</summary>
    Primary = 4,
}
