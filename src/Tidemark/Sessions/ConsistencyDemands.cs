namespace Tidemark;

/// <summary>The watermarks of a session that a read must include.</summary>
[Flags]
internal enum ConsistencyDemands
{
    None = 0,

    /// <summary>The session's writes.</summary>
    Written = 1,

    /// <summary>What the session's reads may have returned.</summary>
    Observed = 2,

    /// <summary>The primary, which includes everything.</summary>
    Primary = 4,
}
