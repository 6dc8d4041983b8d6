namespace Tidemark.Verification;

/// <summary>
/// The operations of clients and the WAL order of their commits. A history is complete, free of contradictions and immutable.
/// <see cref="HistoryBuilder"/> creates it, and <see cref="HistoryChecker"/> checks it.
/// </summary>
public sealed class History
{
    private readonly Dictionary<int, long> _settled;

    internal History(HistoryColumns columns, WalTree tree, VersionTable versions, Dictionary<int, long> settled) =>
        (Columns, Tree, Versions, _settled) = (columns, tree, versions, settled);

    /// <summary>Number of operations. Operations are numbered from 0 in the order in which they were added.</summary>
    public int OperationCount => Columns.Operations.Count;

    /// <summary>Number of clients.</summary>
    public int ClientCount => Columns.Clients.Count;

    /// <summary>The numbers of the timelines in the history. The history ends on the last one.</summary>
    public IReadOnlyList<uint> Timelines => [.. Enumerable.Range(WalTree.Root, Tree.Count - WalTree.Root).Select(Tree.Number)];

    internal HistoryColumns Columns { get; }

    internal WalTree Tree { get; }

    internal VersionTable Versions { get; }

    /// <summary>
    /// Returns the time at which a committed version was acknowledged to its client, or <see cref="long.MaxValue"/> if the outcome was
    /// unknown to the client.
    /// </summary>
    internal long AcknowledgedAt(int version)
    {
        ref readonly var write = ref Columns.Operations[Versions[version].Writer];
        return write.Outcome == HistoryOutcome.Acknowledged ? write.End : long.MaxValue;
    }

    /// <summary>The writes whose server processes are known to have ended, with the time from which that is known.</summary>
    internal IReadOnlyDictionary<int, long> Settled => _settled;

    /// <summary>
    /// Returns the time from which the server process of a write is known to have ended, or <see cref="long.MaxValue"/> if it was not
    /// recorded.
    /// </summary>
    internal long SettledAt(int write) => _settled.Count > 0 && _settled.TryGetValue(write, out var time) ? time : long.MaxValue;

    /// <summary>Returns the committed version that a write produced, or <see cref="VersionTable.None"/> if none exists.</summary>
    internal int CommittedBy(in Operation write) => Versions.Find(write.Key, write.Version, write.Value);

    internal string ClientName(int client) => Columns.Clients[client] ?? $"client {client}";
}
