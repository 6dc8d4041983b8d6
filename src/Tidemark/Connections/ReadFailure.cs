namespace Tidemark;

/// <summary>What a failed attempt means for the statement: is it the caller's own error, or may another node do better?</summary>
internal enum ReadFailure
{
    /// <summary>The statement fails on every node, or the caller gave up.</summary>
    CallersOwn,

    /// <summary>The node or the connection to it is gone.</summary>
    NodeLost,

    /// <summary>The node is well but could not serve this read now: a recovery conflict, no free connection.</summary>
    TryAnotherNode,

    /// <summary>
    /// The replica ran out of memory or disk, or its data is damaged: another node may answer. Where no other can serve, the error is the
    /// caller's.
    /// </summary>
    NodeFault,

    /// <summary>The statement writes (25006): it belongs on the primary, on a connection that may write.</summary>
    Writes,

    /// <summary>Only a primary can run it, or the replica has not replayed the schema it needs.</summary>
    NeedsPrimary,
}
