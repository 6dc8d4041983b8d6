namespace Tidemark.Verification;

/// <summary>
/// What clients did and saw, and in which order the WAL has it: complete, free of contradictions, immutable. <see cref="HistoryBuilder"/>
/// makes it,
/// <see cref="HistoryChecker"/> judges it.
/// </summary>
public sealed class History
{
    private readonly Dictionary<int, long> _settled;

    internal History(HistoryColumns columns, WalTree tree, VersionTable versions, Dictionary<int, long> settled) =>
        (Columns, Tree, Versions, _settled) = (columns, tree, versions, settled);

    /// <summary>How many operations there are; they are numbered from 0 in the order they were added.</summary>
    public int OperationCount => Columns.Operations.Count;

    /// <summary>How many clients there are.</summary>
    public int ClientCount => Columns.Clients.Count;

    /// <summary>The numbers of its timelines. History is on the last one in the end.</summary>
    public IReadOnlyList<uint> Timelines => [.. Enumerable.Range(WalTree.Root, Tree.Count - WalTree.Root).Select(Tree.Number)];

    internal HistoryColumns Columns { get; }

    internal WalTree Tree { get; }

    internal VersionTable Versions { get; }

    /// <summary>When the client of a committed version knew that it is committed; never, for one whose outcome it was not told.</summary>
    internal long AcknowledgedAt(int version)
    {
        ref readonly var write = ref Columns.Operations[Versions[version].Writer];
        return write.Outcome == HistoryOutcome.Acknowledged ? write.End : long.MaxValue;
    }

    /// <summary>The writes whose server processes are known to be gone, and since when.</summary>
    internal IReadOnlyDictionary<int, long> Settled => _settled;

    /// <summary>When the server process of a write was known to be gone; never, where that was not recorded.</summary>
    internal long SettledAt(int write) => _settled.Count > 0 && _settled.TryGetValue(write, out var time) ? time : long.MaxValue;

    /// <summary>The committed version that a write made; <see cref="VersionTable.None"/> for none.</summary>
    internal int CommittedBy(in Operation write) => Versions.Find(write.Key, write.Version, write.Value);

    internal string ClientName(int client) => Columns.Clients[client] ?? $"client {client}";
}
