namespace Tidemark;

/// <summary>How to handle a failed attempt: the error belongs to the caller's statement, or another node may succeed.</summary>
internal enum ReadFailure
{
    /// <summary>The statement fails on every node, or the caller cancelled it.</summary>
    CallersOwn,

    /// <summary>The node or the connection to it is gone.</summary>
    NodeLost,

    /// <summary>The node is healthy but could not serve this read now: a recovery conflict, no free connection.</summary>
    TryAnotherNode,

    /// <summary>
    /// The replica ran out of memory or disk, or its data is damaged. Another node may succeed; if none can serve the read, the caller gets
    /// the error.
    /// </summary>
    NodeFault,

    /// <summary>The statement writes (25006). It must run on the primary, on a connection that may write.</summary>
    Writes,

    /// <summary>Only a primary can run the statement, or the replica has not replayed the schema it needs.</summary>
    NeedsPrimary,
}
