using Tidemark.Testing;

namespace Tidemark.Verification;

/// <summary>
/// Records the operations of clients and the WAL order of their commits for <see cref="HistoryChecker"/>. Records may be added in any
/// order.
/// </summary>
/// <remarks>
/// <para>Times are ticks of one monotonic clock. An event precedes another only if its tick is smaller. An operation that begins in the
/// tick in which another ends counts as concurrent with it, and need not contain what the other one showed. A simulator whose clock does
/// not advance between events should therefore use finer ticks, with a counter in their last digits.</para>
/// <para>A record that is wrong by itself is rejected when it is added. Contradictions between records are rejected by <see cref="Build"/>.
/// Instances are not thread-safe.</para>
/// </remarks>
public sealed class HistoryBuilder
{
    /// <summary>Maximum number of keys that one read can show.</summary>
    public const int MaxKeysPerRead = 16;

    internal const long NoBound = -1;
    private const long NegativeBound = -2;

    private readonly HistoryColumns _columns;
    private readonly Dictionary<long, int> _keyNumbers = [];
    private bool _isBuilt;

    /// <summary>Creates an empty history.</summary>
    /// <param name="ticksPerSecond">
    /// Number of ticks per second for all times. Default: that of <see cref="TimeSpan"/>, which <see cref="VirtualTime"/> uses.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="ticksPerSecond"/> is not positive.</exception>
    public HistoryBuilder(long ticksPerSecond = TimeSpan.TicksPerSecond)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(ticksPerSecond);
        _columns = new HistoryColumns(ticksPerSecond);
    }

    /// <summary>Adds a node and returns its number, counted from 0.</summary>
    /// <param name="name">Name of the node. Violation texts contain it.</param>
    public int AddNode(string name)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        RequireOneLine(name);
        _columns.Nodes.Add(name);
        return _columns.Nodes.Count - 1;
    }

    /// <summary>
    /// Adds a client and returns its number, counted from 0. A client is one session. It may run several operations at once, as browsers
    /// do.
    /// </summary>
    /// <param name="name">Name of the client, or <see langword="null"/> for a name such as "client 7".</param>
    public int AddClient(string? name = null)
    {
        if (name is not null) RequireOneLine(name);
        _columns.Clients.Add(name);
        return _columns.Clients.Count - 1;
    }

    /// <summary>Adds a write of one row and returns the number of the operation.</summary>
    /// <param name="client">The client, as returned by <see cref="AddClient"/>.</param>
    /// <param name="start">Time at which the write was sent, or earlier.</param>
    /// <param name="end">Time at which its outcome was received, or later.</param>
    /// <param name="key">Key of the row.</param>
    /// <param name="version">Number of writes of the key, including this one, or 0 if it is unknown.</param>
    /// <param name="value">A value that is unique among the writes of the history.</param>
    /// <param name="outcome">The outcome that the client received.</param>
    /// <exception cref="HistoryException">The record is wrong by itself.</exception>
    public int Write(int client, long start, long end, long key, long version, long value, HistoryOutcome outcome)
    {
        var id = Next(client, start, end);
        if (!Enum.IsDefined(outcome)) throw new HistoryException(id, $"{outcome} is not a valid outcome of a write.");
        return _columns.Operations.Add(new Operation
        {
            Start = start, End = end, Client = client, Kind = OperationKind.Write, Outcome = outcome,
            Key = Number(key), Version = Version(id, version, least: 0), Value = value,
        });
    }

    /// <summary>Adds a read of one statement that returned a result, and returns the number of the operation.</summary>
    /// <param name="client">The client, as returned by <see cref="AddClient"/>.</param>
    /// <param name="start">Time at which the read was sent, or earlier.</param>
    /// <param name="end">Time at which its result was received, or later.</param>
    /// <param name="node">The node that served the read, as returned by <see cref="AddNode"/>.</param>
    /// <param name="onPrimary">Whether the node was a primary, where commits need not become visible in WAL order.</param>
    /// <param name="rows">The rows that the read showed: 1 to <see cref="MaxKeysPerRead"/> different keys.</param>
    /// <param name="guarantees">The guarantees that the read required.</param>
    /// <param name="maxStaleness">Maximum staleness that the read required, or <see langword="null"/> if there was no bound.</param>
    /// <exception cref="HistoryException">The record is wrong by itself.</exception>
    public int Read(
        int client, long start, long end, int node, bool onPrimary, ReadOnlySpan<Observation> rows, ReadGuarantees guarantees,
            TimeSpan? maxStaleness = null) =>
        Read(client, start, end, node, onPrimary, rows, guarantees, maxStaleness is { } bound
            ? (bound < TimeSpan.Zero ? NegativeBound : _columns.Ticks(bound)) : NoBound);

    /// <summary>Adds a read whose staleness bound is given in ticks.</summary>
    internal int Read(
        int client, long start, long end, int node, bool onPrimary, ReadOnlySpan<Observation> rows, ReadGuarantees guarantees,
            long maxStalenessTicks)
    {
        var id = Next(client, start, end);
        if ((uint)node >= (uint)_columns.Nodes.Count) throw new HistoryException(id, $"node {node} does not exist.");
        if (rows.Length is 0 or > MaxKeysPerRead)
            throw new HistoryException(id, $"a read shows 1 to {MaxKeysPerRead} rows, not {rows.Length}.");
        if ((guarantees & ~ReadGuarantees.Session) != 0)
            throw new HistoryException(id, $"{guarantees} is not a valid set of read guarantees.");
        if (maxStalenessTicks < NoBound) throw new HistoryException(id, "a staleness bound cannot be negative.");
        for (var i = 0; i < rows.Length; i++)
        {
            for (var j = 0; j < i; j++)
            {
                if (rows[i].Key == rows[j].Key) throw new HistoryException(id, $"it shows key {rows[i].Key} twice.");
            }

            _ = Version(id, rows[i].Version, least: 0);
        }

        var first = _columns.Rows.Count;
        foreach (var row in rows)
            _columns.Rows.Add(new ShownRow(Number(row.Key), (int)row.Version, row.Value));
        return _columns.Operations.Add(new Operation
        {
            Start = start, End = end, Client = client, Kind = onPrimary
                ? OperationKind.PrimaryRead : OperationKind.ReplicaRead, Guarantees = guarantees,
            Node = node, FirstRow = first, RowCount = (byte)rows.Length, MaxStaleness = maxStalenessTicks,
        });
    }

    /// <summary>
    /// Records that one client handed its session to another. What the first client had received by then binds the second one from the
    /// import on.
    /// </summary>
    /// <param name="from">The client that exports its session, for example the process that captured a token.</param>
    /// <param name="to">The client that imports the session.</param>
    /// <param name="exportedAt">
    /// Time of the export. What the exporting client had received by then counts, regardless of the contents of a token.
    /// </param>
    /// <param name="importedAt">Time of the import.</param>
    /// <exception cref="HistoryException">The record is wrong by itself.</exception>
    public void HandOver(int from, int to, long exportedAt, long importedAt)
    {
        var id = new RecordId(RecordKind.HandOver, _columns.HandOvers.Count);
        RequireClient(id, from);
        RequireClient(id, to);
        if (importedAt < exportedAt)
            throw new HistoryException(id, $"it is imported at {importedAt}, before it is exported at {exportedAt}.");
        _columns.HandOvers.Add(new HandOverRecord(from, to, exportedAt, importedAt));
    }

    /// <summary>Records a commit and its position in the WAL.</summary>
    /// <param name="key">Key of the row.</param>
    /// <param name="version">The version that the commit produced, counted from 1.</param>
    /// <param name="value">Value of the write.</param>
    /// <param name="timeline">
    /// The timeline that contains the commit: PostgreSQL's number, or any number that increases with each fork.
    /// </param>
    /// <param name="rank">
    /// Rank in WAL order, from 1: a WAL position or a counter. It increases along the timeline and is greater than the rank of the fork at
    /// which the timeline began.
    /// </param>
    /// <exception cref="HistoryException">The record is wrong by itself.</exception>
    public void Commit(long key, long version, long value, uint timeline, long rank)
    {
        var id = new RecordId(RecordKind.Commit, _columns.Commits.Count);
        if (timeline == 0) throw new HistoryException(id, "timelines are counted from 1.");
        if (rank < 1) throw new HistoryException(id, $"ranks are counted from 1, but this is {rank}.");
        _columns.Commits.Add(new CommitRecord(Number(key), Version(id, version, least: 1), value, timeline, rank));
    }

    /// <summary>Records a fork: a promotion, or a crash that lost WAL which was not flushed.</summary>
    /// <param name="parent">The timeline that was left.</param>
    /// <param name="child">The timeline on which history continued. Its number is larger than the parent's.</param>
    /// <param name="atRank">The last rank of the parent that the child contains, or 0 if none exists.</param>
    /// <param name="notBefore">
    /// The latest time at which the child certainly did not exist yet. A loss report before that time concerns another fork and does not
    /// count for this one. By default, every report counts.
    /// </param>
    /// <exception cref="HistoryException">The record is wrong by itself.</exception>
    public void Fork(uint parent, uint child, long atRank, long notBefore = long.MinValue)
    {
        var id = new RecordId(RecordKind.Fork, _columns.Forks.Count);
        if (parent == 0) throw new HistoryException(id, "timelines are counted from 1.");
        if (child <= parent)
            throw new HistoryException(id, $"timeline {child} cannot branch off timeline {parent}: the number of a child must be larger.");
        if (atRank < 0) throw new HistoryException(id, $"ranks are counted from 1, but this is {atRank}.");
        _columns.Forks.Add(new ForkRecord(parent, child, atRank, notBefore));
    }

    /// <summary>Records that a loss, or a possible loss, was reported to the session.</summary>
    /// <param name="client">The client, as returned by <see cref="AddClient"/>.</param>
    /// <param name="time">
    /// Time of the report. If an operation reported the loss, this must not be later than the end of that operation.
    /// </param>
    /// <exception cref="HistoryException">The record is wrong by itself.</exception>
    public void LossReported(int client, long time)
    {
        RequireClient(new RecordId(RecordKind.Loss, _columns.Losses.Count), client);
        _columns.Losses.Add(new LossRecord(client, time));
    }

    /// <summary>
    /// Records that the server process of a write is known to have ended, so that the write is either committed or never will be. From then
    /// on, a committed write of unknown outcome binds its own session as if it had been acknowledged. Later reads that require
    /// <see cref="ReadGuarantees.ReadYourWrites"/> must contain it.
    /// </summary>
    /// <param name="value">Value of the write, which may be added later. The record has no effect on writes of known outcome.</param>
    /// <param name="time">Time from which the end of the process is known. If there are several records, the earliest one counts.</param>
    public void Settle(long value, long time)
    {
        if (_isBuilt) throw new InvalidOperationException("This history has already been built.");
        _columns.Settlements.Add(new SettleRecord(value, time));
    }

    /// <summary>The history, complete and free of contradictions. The builder takes nothing more after it.</summary>
    /// <exception cref="HistoryException">Records contradict one another; the message names one of them and the reason.</exception>
    public History Build()
    {
        if (_isBuilt) throw new InvalidOperationException("This history has already been built.");
        _isBuilt = true;
        return HistoryAssembly.Assemble(_columns);
    }

    private RecordId Next(int client, long start, long end)
    {
        if (_isBuilt) throw new InvalidOperationException("This history has already been built.");
        var id = new RecordId(RecordKind.Operation, _columns.Operations.Count);
        RequireClient(id, client);
        if (start == long.MaxValue) throw new HistoryException(id, "its start time is the largest possible one.");
        if (end < start) throw new HistoryException(id, $"it ends at {end}, before it starts at {start}.");
        return id;
    }

    private void RequireClient(RecordId id, int client)
    {
        if ((uint)client >= (uint)_columns.Clients.Count) throw new HistoryException(id, $"client {client} does not exist.");
    }

    // A history file contains one record per line.
    private static void RequireOneLine(string name)
    {
        if (name.Any(char.IsControl) || name.Length != name.Trim().Length || name.Length == 0)
            throw new ArgumentException($"A name must be one line that neither begins nor ends with a space, but this is \"{name}\".",
                nameof(name));
    }

    private static int Version(RecordId id, long version, int least) => version >= least && version < int.MaxValue
        ? (int)version
        : throw new HistoryException(id, $"versions are counted from {least} to {int.MaxValue - 1}, but this is {version}.");

    private int Number(long key)
    {
        if (_keyNumbers.TryGetValue(key, out var number)) return number;
        number = _columns.Keys.Count;
        _columns.Keys.Add(key);
        _keyNumbers.Add(key, number);
        return number;
    }
}
