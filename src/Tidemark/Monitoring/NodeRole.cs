namespace Tidemark;

/// <summary>What a node was found to be. Roles are found by probes, never configured.</summary>
public enum NodeRole
{
    /// <summary>The node has not answered yet, or not lately; or it is none that can be used (Amazon Aurora).</summary>
    Unknown,

    /// <summary>The node takes the writes.</summary>
    Primary,

    /// <summary>The node replays the primary's WAL (hot standby).</summary>
    Replica,
}
