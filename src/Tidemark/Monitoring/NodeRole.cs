namespace Tidemark;

/// <summary>The role of a node. Roles are detected by probes, never configured.</summary>
public enum NodeRole
{
    /// <summary>The node has not responded yet, did not respond to its last probe, or cannot be used (Amazon Aurora).</summary>
    Unknown,

    /// <summary>The node accepts writes.</summary>
    Primary,

    /// <summary>The node replays the primary's WAL (hot standby).</summary>
    Replica,
}
