using Tidemark.Testing;

namespace Tidemark.Verification;

/// <summary>
/// Records what clients did and saw, and in which order the WAL has it, for <see cref="HistoryChecker"/>. Records may come in any order.
/// </summary>
/// <remarks>
/// <para>Times are ticks of one monotonic clock. One thing is before another only if its tick is smaller: an operation that begins in the
/// tick in which another ends counts as running beside it, and is bound by nothing that the other showed. A simulator in which
/// time stands still should therefore stamp with finer ticks, a counter in their last digits.</para>
/// <para>What one record shows to be wrong by itself is refused when it is added, what several show together by <see cref="Build"/>.
/// Not safe for several threads at once.</para>
/// </remarks>
public sealed class HistoryBuilder
{
    /// <summary>The most keys that one read can show.</summary>
    public const int MaxKeysPerRead = 16;

    internal const long NoBound = -1;
    private const long NegativeBound = -2;

    private readonly HistoryColumns _columns;
    private readonly Dictionary<long, int> _keyNumbers = [];
    private bool _isBuilt;

    /// <summary>An empty history.</summary>
    /// <param name="ticksPerSecond">
    /// Ticks of all times in a second: those of <see cref="TimeSpan"/> unless told, as in <see cref="VirtualTime"/>.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="ticksPerSecond"/> is not positive.</exception>
    public HistoryBuilder(long ticksPerSecond = TimeSpan.TicksPerSecond)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(ticksPerSecond);
        _columns = new HistoryColumns(ticksPerSecond);
    }

    /// <summary>Adds a node and returns its number, from 0.</summary>
    /// <param name="name">Its name, which sentences about violations quote.</param>
    public int AddNode(string name)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        RequireOneLine(name);
        _columns.Nodes.Add(name);
        return _columns.Nodes.Count - 1;
    }

    /// <summary>
    /// Adds a client and returns its number, from 0. A client is one session; it may have several operations at once, as browsers do.
    /// </summary>
    /// <param name="name">Its name; null for "client 7".</param>
    public int AddClient(string? name = null)
    {
        if (name is not null) RequireOneLine(name);
        _columns.Clients.Add(name);
        return _columns.Clients.Count - 1;
    }

    /// <summary>Adds a write of one row and returns the number of the operation.</summary>
    /// <param name="client">The client, as <see cref="AddClient"/> returned it.</param>
    /// <param name="start">When it was sent, or before.</param>
    /// <param name="end">When its outcome was known, or after.</param>
    /// <param name="key">The row.</param>
    /// <param name="version">How many writes of the key there are with this one; 0 when that is not known.</param>
    /// <param name="value">What tells this write from every other one of the history.</param>
    /// <param name="outcome">What the client was told.</param>
    /// <exception cref="HistoryException">The record is wrong by itself.</exception>
    public int Write(int client, long start, long end, long key, long version, long value, HistoryOutcome outcome)
    {
        var id = Next(client, start, end);
        if (!Enum.IsDefined(outcome)) throw new HistoryException(id, $"{outcome} is no outcome of a write.");
        return _columns.Operations.Add(new Operation
        {
            Start = start, End = end, Client = client, Kind = OperationKind.Write, Outcome = outcome,
            Key = Number(key), Version = Version(id, version, least: 0), Value = value,
        });
    }

    /// <summary>Adds a read, one statement that was answered, and returns the number of the operation.</summary>
    /// <param name="client">The client, as <see cref="AddClient"/> returned it.</param>
    /// <param name="start">When it was sent, or before.</param>
    /// <param name="end">When it was answered, or after.</param>
    /// <param name="node">The node that answered, as <see cref="AddNode"/> returned it.</param>
    /// <param name="onPrimary">Whether the node was a primary, on which commits need not become visible in WAL order.</param>
    /// <param name="rows">What it showed: 1 to <see cref="MaxKeysPerRead"/> different keys.</param>
    /// <param name="guarantees">What the read asked for.</param>
    /// <param name="maxStaleness">The bound of staleness it asked for; null for none.</param>
    /// <exception cref="HistoryException">The record is wrong by itself.</exception>
    public int Read(
        int client, long start, long end, int node, bool onPrimary, ReadOnlySpan<Observation> rows, ReadGuarantees guarantees,
            TimeSpan? maxStaleness = null) =>
        Read(client, start, end, node, onPrimary, rows, guarantees, maxStaleness is { } bound
            ? (bound < TimeSpan.Zero ? NegativeBound : _columns.Ticks(bound)) : NoBound);

    /// <summary>The same, with the bound of staleness in ticks.</summary>
    internal int Read(
        int client, long start, long end, int node, bool onPrimary, ReadOnlySpan<Observation> rows, ReadGuarantees guarantees,
            long maxStalenessTicks)
    {
        var id = Next(client, start, end);
        if ((uint)node >= (uint)_columns.Nodes.Count) throw new HistoryException(id, $"there is no node {node}.");
        if (rows.Length is 0 or > MaxKeysPerRead)
            throw new HistoryException(id, $"a read shows 1 to {MaxKeysPerRead} rows, not {rows.Length}.");
        if ((guarantees & ~ReadGuarantees.Session) != 0) throw new HistoryException(id, $"{guarantees} are no guarantees of a read.");
        if (maxStalenessTicks < NoBound) throw new HistoryException(id, "a bound of staleness is not negative.");
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

    /// <summary>What one client had received when it handed its session over binds the other one from then on.</summary>
    /// <param name="from">The client that gives, for example the process that captured a token.</param>
    /// <param name="to">The client that takes.</param>
    /// <param name="exportedAt">
    /// When it was given. What the giving client had received by then counts, never what a token contained.
    /// </param>
    /// <param name="importedAt">When it was taken.</param>
    /// <exception cref="HistoryException">The record is wrong by itself.</exception>
    public void HandOver(int from, int to, long exportedAt, long importedAt)
    {
        var id = new RecordId(RecordKind.HandOver, _columns.HandOvers.Count);
        RequireClient(id, from);
        RequireClient(id, to);
        if (importedAt < exportedAt) throw new HistoryException(id, $"it is taken at {importedAt}, before it is given at {exportedAt}.");
        _columns.HandOvers.Add(new HandOverRecord(from, to, exportedAt, importedAt));
    }

    /// <summary>A commit and its place in the WAL.</summary>
    /// <param name="key">The row.</param>
    /// <param name="version">The version it made, from 1.</param>
    /// <param name="value">The value of its write.</param>
    /// <param name="timeline">The branch of the WAL that has it: PostgreSQL's number, or any that grows with each fork.</param>
    /// <param name="rank">
    /// Its place in WAL order: positions or counted, from 1, growing along the timeline and beyond the fork it began at.
    /// </param>
    /// <exception cref="HistoryException">The record is wrong by itself.</exception>
    public void Commit(long key, long version, long value, uint timeline, long rank)
    {
        var id = new RecordId(RecordKind.Commit, _columns.Commits.Count);
        if (timeline == 0) throw new HistoryException(id, "timelines are counted from 1.");
        if (rank < 1) throw new HistoryException(id, $"ranks are counted from 1, and this is {rank}.");
        _columns.Commits.Add(new CommitRecord(Number(key), Version(id, version, least: 1), value, timeline, rank));
    }

    /// <summary>A timeline was left for another, at a promotion or a crash that lost what was not flushed.</summary>
    /// <param name="parent">The timeline that was left.</param>
    /// <param name="child">The timeline that history went on with; a larger number than the parent's.</param>
    /// <param name="atRank">The last rank of the parent that the child contains; 0 for none.</param>
    /// <param name="notBefore">
    /// The latest time at which the child surely did not exist yet. A report of a loss before then is about something else, and does not
    /// count for this fork. Unless told, every report counts.
    /// </param>
    /// <exception cref="HistoryException">The record is wrong by itself.</exception>
    public void Fork(uint parent, uint child, long atRank, long notBefore = long.MinValue)
    {
        var id = new RecordId(RecordKind.Fork, _columns.Forks.Count);
        if (parent == 0) throw new HistoryException(id, "timelines are counted from 1.");
        if (child <= parent) throw new HistoryException(id, $"timeline {child} cannot come out of {parent}: a child's number is larger.");
        if (atRank < 0) throw new HistoryException(id, $"ranks are counted from 1, and this is {atRank}.");
        _columns.Forks.Add(new ForkRecord(parent, child, atRank, notBefore));
    }

    /// <summary>The session was told that it lost, or may have lost, something.</summary>
    /// <param name="client">The client, as <see cref="AddClient"/> returned it.</param>
    /// <param name="time">When it was told: for an answer that told, no later than the end of its operation.</param>
    /// <exception cref="HistoryException">The record is wrong by itself.</exception>
    public void LossReported(int client, long time)
    {
        RequireClient(new RecordId(RecordKind.Loss, _columns.Losses.Count), client);
        _columns.Losses.Add(new LossRecord(client, time));
    }

    /// <summary>
    /// The server process that ran a write is known to be gone, so that the write is committed or never will be. A committed write of
    /// unknown outcome binds its own session from then on, as if it had been acknowledged: reads that start later and ask for
    /// <see cref="ReadGuarantees.ReadYourWrites"/> must contain it.
    /// </summary>
    /// <param name="value">The value of the write, which may be added later. For writes of known outcome it changes nothing.</param>
    /// <param name="time">Since when that is known. The earliest counts where there are several.</param>
    public void Settle(long value, long time)
    {
        if (_isBuilt) throw new InvalidOperationException("This history was built already.");
        _columns.Settlements.Add(new SettleRecord(value, time));
    }

    /// <summary>The history, complete and free of contradictions. The builder takes nothing more after it.</summary>
    /// <exception cref="HistoryException">Records contradict one another; the message names one of them and the reason.</exception>
    public History Build()
    {
        if (_isBuilt) throw new InvalidOperationException("This history was built already.");
        _isBuilt = true;
        return HistoryAssembly.Assemble(_columns);
    }

    private RecordId Next(int client, long start, long end)
    {
        if (_isBuilt) throw new InvalidOperationException("This history was built already.");
        var id = new RecordId(RecordKind.Operation, _columns.Operations.Count);
        RequireClient(id, client);
        if (start == long.MaxValue) throw new HistoryException(id, "it starts at the end of time.");
        if (end < start) throw new HistoryException(id, $"it ends at {end}, before it starts at {start}.");
        return id;
    }

    private void RequireClient(RecordId id, int client)
    {
        if ((uint)client >= (uint)_columns.Clients.Count) throw new HistoryException(id, $"there is no client {client}.");
    }

    // A history is written one line to a record.
    private static void RequireOneLine(string name)
    {
        if (name.Any(char.IsControl) || name.Length != name.Trim().Length || name.Length == 0)
            throw new ArgumentException($"A name is one line that neither begins nor ends with a space, and this is \"{name}\".",
                nameof(name));
    }

    private static int Version(RecordId id, long version, int least) => version >= least && version < int.MaxValue
        ? (int)version
        : throw new HistoryException(id, $"versions are counted from {least} to {int.MaxValue - 1}, and this is {version}.");

    private int Number(long key)
    {
        if (_keyNumbers.TryGetValue(key, out var number)) return number;
        number = _columns.Keys.Count;
        _columns.Keys.Add(key);
        _keyNumbers.Add(key, number);
        return number;
    }
}
