namespace Tidemark;

/// <summary>
/// What the attempts of a read do with a node: open a connection there, show that the node has what the read needs, and bring the answer.
/// The one seam
/// between deciding and doing: a command, a query of EF Core and a connection that is handed out each go their own way, and simulated
/// servers theirs.
/// </summary>
/// <typeparam name="T">What the caller is given.</typeparam>
internal interface IReadOperation<T>
    where T : class
{
    /// <summary>
    /// What is sent is the caller's own command, whose time is the caller's and whose errors are answers. False: nothing but opening and
    /// checking.
    /// </summary>
    bool RunsCallersCommand { get; }

    /// <summary>
    /// The caller's command was sent in this attempt, on a connection that is not known to be read-only: it must not be sent again.
    /// </summary>
    bool MayHaveWritten { get; }

    /// <summary>Opens a connection to the node of the decision, and says what it must show before its rows are believed.</summary>
    /// <param name="decision">Where to.</param>
    /// <param name="isWrite">The statement turned out to write.</param>
    /// <param name="io">How to wait.</param>
    /// <param name="cancellationToken">Gives up.</param>
    ValueTask<ConnectionCheck> OpenAsync(RouteDecision decision, bool isWrite, IoMode io, CancellationToken cancellationToken);

    /// <summary>
    /// Sends, after a check where there is something to show. Null: the node did not show it, and what it answered is void.
    /// </summary>
    ValueTask<T?> SendAsync(ReadProof? proof, IoMode io, CancellationToken cancellationToken);

    /// <summary>What was sent has an answer that reaches the caller: rows, or an error.</summary>
    void Deliver();

    /// <summary>The attempt has failed or was given up: closes what it opened, if it got that far.</summary>
    ValueTask CloseAsync(IoMode io);
}
