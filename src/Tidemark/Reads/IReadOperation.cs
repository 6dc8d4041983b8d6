namespace Tidemark;

/// <summary>
/// The steps of a read attempt on one node: open a connection, prove that the node has what the read must include, and return the answer.
/// This is the only seam between decision and I/O. It is implemented for commands, EF Core queries, connections that are handed out, and
/// simulated servers.
/// </summary>
/// <typeparam name="T">What the caller receives.</typeparam>
internal interface IReadOperation<T>
    where T : class
{
    /// <summary>
    /// Whether the caller's own command is sent, so that its timeout and its errors belong to the caller. If <see langword="false"/>, the
    /// operation only opens and checks.
    /// </summary>
    bool RunsCallersCommand { get; }

    /// <summary>
    /// Whether the caller's command was sent in this attempt, on a connection that may not be read-only. It must not be sent again then.
    /// </summary>
    bool MayHaveWritten { get; }

    /// <summary>Opens a connection to the node of the decision, and returns what it must prove before its rows are used.</summary>
    /// <param name="decision">The decision, which selects the node.</param>
    /// <param name="isWrite">Whether the statement turned out to write.</param>
    /// <param name="io">How to wait.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    ValueTask<ConnectionCheck> OpenAsync(RouteDecision decision, bool isWrite, IoMode io, CancellationToken cancellationToken);

    /// <summary>
    /// Sends the read, after a check if there is something to prove. Returns <see langword="null"/> if the check failed; the response is
    /// then discarded.
    /// </summary>
    ValueTask<T?> SendAsync(ReadProof? proof, IoMode io, CancellationToken cancellationToken);

    /// <summary>Records that the caller receives an answer: rows, or an error.</summary>
    void Deliver();

    /// <summary>Closes what the attempt has opened, after it failed or was given up.</summary>
    ValueTask CloseAsync(IoMode io);
}
