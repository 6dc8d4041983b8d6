namespace Tidemark;

/// <summary>What the last probe of a node brought.</summary>
internal enum ReportedRole
{
    NotProbed,
    NoAnswer,

    /// <summary>Not in recovery.</summary>
    Primary,

    /// <summary>In recovery.</summary>
    Replica,

    /// <summary>Amazon Aurora, whose readers share storage and replay no WAL.</summary>
    Aurora,
}
