namespace Tidemark.Testing;

/// <summary>How a node became a replica of the primary again, in order of cost.</summary>
public enum RejoinMethod
{
    /// <summary>The node was pointed to the primary. Its history is a prefix of the primary's history.</summary>
    Follow,

    /// <summary>The changes that only the node had were undone (<c>pg_rewind</c>).</summary>
    Rewind,

    /// <summary>The node's data was replaced with a copy of the primary's data.</summary>
    Copy,
}
