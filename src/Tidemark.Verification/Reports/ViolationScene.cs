using System.Collections.Immutable;

namespace Tidemark.Verification;

/// <summary>
/// The operations that make up a violation: the one that violated the guarantee, the one whose effect it misses, the writes between them,
/// and the hand-overs that connect their sessions. Pure.
/// </summary>
internal sealed record ViolationScene
{
    private const int OthersPerClient = 6;

    public required Violation Violation { get; init; }

    /// <summary>Operations that are described one by one, in the order in which they started.</summary>
    public required ImmutableArray<int> Steps { get; init; }

    /// <summary>Concurrent operations of the same clients.</summary>
    public required ImmutableArray<int> Others { get; init; }

    public required ImmutableArray<HandOverRecord> HandOvers { get; init; }

    /// <summary>The lanes from top to bottom. The client of the violation is the last one.</summary>
    public required ImmutableArray<int> Clients { get; init; }

    public required ImmutableArray<ForkRecord> Forks { get; init; }

    public static ViolationScene Of(History history, HistoryVerdict verdict, Violation violation)
    {
        var operations = history.Columns.Operations;
        var culprit = operations[violation.Operation];
        SortedSet<int> steps = [violation.Operation];
        ImmutableArray<HandOverRecord> handOvers = [];
        if (violation.Because is { } because)
        {
            steps.Add(because);
            var (giver, known) = (operations[because].Client, operations[because].End);
            handOvers = Trace(history, culprit, (client, time) => client == giver && known < time) ?? [];
            if (!operations[because].IsWrite) AddWriter(history, steps, LatestShown(history, operations[because]));
        }

        if (violation.Kind == ViolationKind.SilentLoss) handOvers = AddLost(history, verdict, steps, culprit);
        else if (!culprit.IsWrite) AddWriter(history, steps, FirstMissed(history, culprit));
        if (violation.Kind == ViolationKind.Prefix) AddWriter(history, steps, LatestShown(history, culprit));
        if (violation.Kind == ViolationKind.FailedWriteVisible && !culprit.IsWrite) steps.UnionWith(FailedWritesShown(history, culprit));

        var ordered = steps.OrderBy(i => operations[i].Start).ToImmutableArray();
        var begin = operations[ordered[0]].Start;
        foreach (var handOver in handOvers) begin = Math.Min(begin, handOver.ExportedAt);
        var end = culprit.End;
        var clients = ordered.Select(i => operations[i].Client).Concat(handOvers.SelectMany(h => new[] { h.From, h.To }))
            .Distinct().OrderBy(client => client == culprit.Client).ToImmutableArray();
        return new ViolationScene
        {
            Violation = violation, Steps = ordered, HandOvers = handOvers, Clients = clients,
            Others = Meanwhile(history, clients, steps, begin, end),
            Forks = [.. history.Columns.Forks.Where(fork => fork.NotBefore >= begin && fork.NotBefore <= end)],
        };
    }

    // The hand-overs that lead from a session which satisfies a condition to the session of an operation. As in the checker, a hand-over
    // binds the taking client to what the giving one had received by then, in an earlier tick.
    private static ImmutableArray<HandOverRecord>? Trace(History history, in Operation operation, Func<int, long, bool> isFound)
    {
        var waiting = new Queue<(int Client, long Time, ImmutableArray<HandOverRecord> Path)>([(operation.Client, operation.Start, [])]);
        HashSet<HandOverRecord> taken = [];
        while (waiting.TryDequeue(out var at))
        {
            if (isFound(at.Client, at.Time)) return at.Path;
            foreach (var handOver in history.Columns.HandOvers)
            {
                if (handOver.To == at.Client && handOver.ImportedAt < at.Time && taken.Add(handOver))
                    waiting.Enqueue((handOver.From, handOver.ExportedAt, at.Path.Insert(0, handOver)));
            }
        }

        return null;
    }

    // The last thing that the session had written or observed and that the final history does not contain.
    private static ImmutableArray<HandOverRecord> AddLost(History history, HistoryVerdict verdict, SortedSet<int> steps, Operation culprit)
    {
        var lost = -1;
        bool HasLost(int client, long time)
        {
            for (var i = 0; i < history.OperationCount; i++)
            {
                ref readonly var operation = ref history.Columns.Operations[i];
                if (operation.Client != client || operation.End >= time
                    || (lost >= 0 && history.Columns.Operations[lost].End > operation.End)) continue;
                if (operation.IsWrite ? verdict.LostWrites.Contains(i) : ShowsLost(history, operation)) lost = i;
            }

            return lost >= 0;
        }

        var path = Trace(history, culprit, HasLost);
        if (lost >= 0) steps.Add(lost);
        if (lost >= 0 && !history.Columns.Operations[lost].IsWrite)
            AddWriter(history, steps, LatestShown(history, history.Columns.Operations[lost]));
        return path ?? [];
    }

    private static bool ShowsLost(History history, in Operation read)
    {
        for (var i = 0; i < read.RowCount; i++)
        {
            var row = history.Columns.Rows[read.FirstRow + i];
            var shown = history.Versions.Find(row.Key, row.Version, row.Value);
            if (shown != VersionTable.None
                && history.Versions[shown].Rank > history.Tree.Reach(history.Versions[shown].Timeline, history.Tree.Final)) return true;
        }

        return false;
    }

    private static void AddWriter(History history, SortedSet<int> steps, int version)
    {
        if (version != VersionTable.None) steps.Add(history.Versions[version].Writer);
    }

    private static int LatestShown(History history, in Operation read)
    {
        var latest = VersionTable.None;
        for (var i = 0; i < read.RowCount; i++)
        {
            var row = history.Columns.Rows[read.FirstRow + i];
            var shown = history.Versions.Find(row.Key, row.Version, row.Value);
            if (shown != VersionTable.None && (latest == VersionTable.None || IsLater(history, shown, latest))) latest = shown;
        }

        return latest;
    }

    private static int FirstMissed(History history, in Operation read)
    {
        var first = VersionTable.None;
        for (var i = 0; i < read.RowCount; i++)
        {
            var row = history.Columns.Rows[read.FirstRow + i];
            var next = history.Versions.Next(row.Key, row.Version, history.Tree.Final);
            if (next == VersionTable.None || history.Columns.Operations[history.Versions[next].Writer].Start > read.Start) continue;
            if (first == VersionTable.None || IsLater(history, first, next)) first = next;
        }

        return first;
    }

    private static bool IsLater(History history, int one, int other) =>
        (history.Versions[one].Timeline, history.Versions[one].Rank)
            .CompareTo((history.Versions[other].Timeline, history.Versions[other].Rank)) > 0;

    private static List<int> FailedWritesShown(History history, Operation read)
    {
        List<int> found = [];
        for (var i = 0; i < history.OperationCount; i++)
        {
            var write = history.Columns.Operations[i];
            if (!write.IsWrite || write.Outcome != HistoryOutcome.Failed) continue;
            for (var row = 0; row < read.RowCount; row++)
            {
                var shown = history.Columns.Rows[read.FirstRow + row];
                if (shown.Version > 0 && shown.Key == write.Key && shown.Value == write.Value) found.Add(i);
            }
        }

        return found;
    }

    private static ImmutableArray<int> Meanwhile(History history, ImmutableArray<int> clients, SortedSet<int> steps, long begin, long end)
    {
        var found = new Dictionary<int, List<int>>();
        for (var i = 0; i < history.OperationCount; i++)
        {
            ref readonly var operation = ref history.Columns.Operations[i];
            if (operation.Start < begin || operation.Start > end || !clients.Contains(operation.Client) || steps.Contains(i)) continue;
            if (!found.TryGetValue(operation.Client, out var of)) found.Add(operation.Client, of = []);
            of.Add(i);
        }

        return [.. found.Values.SelectMany(of => of.OrderBy(i => history.Columns.Operations[i].Start).TakeLast(OthersPerClient))];
    }
}
