namespace Tidemark.Testing;

/// <summary>The role of a node in its cluster.</summary>
public enum LocalNodeRole
{
    /// <summary>The node that was promoted last, or the first node if none was promoted.</summary>
    Primary,

    /// <summary>A hot standby.</summary>
    Replica,

    /// <summary>
    /// A former primary, left as it was when another node was promoted. It still accepts writes, which reach no other node.
    /// </summary>
    OldPrimary,
}
