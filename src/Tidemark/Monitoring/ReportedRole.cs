namespace Tidemark;

/// <summary>The role that a node reported to its last probe.</summary>
internal enum ReportedRole
{
    NotProbed,
    NoAnswer,

    /// <summary>The server is not in recovery.</summary>
    Primary,

    /// <summary>The server is in recovery.</summary>
    Replica,

    /// <summary>The server is Amazon Aurora, whose readers share storage and replay no WAL.</summary>
    Aurora,
}
