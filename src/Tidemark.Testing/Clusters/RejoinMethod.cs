namespace Tidemark.Testing;

/// <summary>The ways in which a node becomes a replica of the primary again, the cheapest first.</summary>
public enum RejoinMethod
{
    /// <summary>It only had to be pointed to the primary: its history is the beginning of the primary's.</summary>
    Follow,

    /// <summary>What it had and the primary has not was undone (<c>pg_rewind</c>).</summary>
    Rewind,

    /// <summary>Its data was replaced by a copy of the primary's.</summary>
    Copy,
}
