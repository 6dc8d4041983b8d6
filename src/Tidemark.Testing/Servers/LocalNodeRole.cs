namespace Tidemark.Testing;

/// <summary>What a node is in its cluster.</summary>
public enum LocalNodeRole
{
    /// <summary>The node that was promoted last, or else the first one.</summary>
    Primary,

    /// <summary>A hot standby.</summary>
    Replica,

    /// <summary>A node that was the primary before another one was promoted, and would take writes that nobody else sees.</summary>
    OldPrimary,
}
