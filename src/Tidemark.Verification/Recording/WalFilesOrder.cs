using Tidemark.Testing;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using NpgsqlTypes;

namespace Tidemark.Verification;

/// <summary>
/// The order of commits from the WAL files of a local cluster. Each timeline is read on every node that has files of it, since only the
/// node that was its primary has all of it. Forks are read from the nodes' history files.
/// </summary>
internal sealed class WalFilesOrder(LocalCluster cluster) : CommitOrder
{
    private const int TimelineDigits = 8;

    private readonly LocalNode _first = cluster.Primary;
    private RegisterTable _table = new();
    private (uint Timeline, NpgsqlLogSequenceNumber Position) _begin;
    private bool _hasSlot;

    private string Slot => _table.Note + "_keep";

    [SuppressMessage("Design", "CA1031", Justification = "The slot of a server that is gone need not be dropped. "
        + "The next server must still be queried.")]
    public override async ValueTask DisposeAsync()
    {
        if (!_hasSlot || !_first.IsRunning) return;
        try
        {
            await RegisterTable.RunAsync(_first.ConnectionString, $"SELECT pg_drop_replication_slot('{Slot}')", CancellationToken.None)
                .ConfigureAwait(false);
        }
        catch (Exception)
        {
        }
    }

    internal override async Task BeginAsync(RegisterTable table, CancellationToken cancellationToken)
    {
        _table = table;
        await RegisterTable.RunAsync(_first.ConnectionString, $"SELECT pg_create_physical_replication_slot('{Slot}', true)",
            cancellationToken).ConfigureAwait(false);
        _hasSlot = true;
        _begin = await RegisterTable.PositionOfAsync(_first.ConnectionString, cancellationToken).ConfigureAwait(false);
    }

    internal override async Task<RankedWal> ReadAsync(CancellationToken cancellationToken)
    {
        var (last, final) = await LastPrimaryAsync(cancellationToken).ConfigureAwait(false);
        await _table.EndAsync(last.ConnectionString, cancellationToken).ConfigureAwait(false);
        var forks = Forks();
        Dictionary<(uint, ulong, long), RankedWrite> commits = [];
        foreach (var (timeline, start) in forks.Select(fork => (fork.Child, fork.AtLeast)).Prepend(_begin))
            await ReadAsync(timeline, start, timeline == final ? last : null, commits, cancellationToken).ConfigureAwait(false);
        return new RankedWal([.. commits.Values], forks);
    }

    private async Task ReadAsync(
        uint timeline, NpgsqlLogSequenceNumber start, LocalNode? mustEndOn, Dictionary<(uint, ulong, long), RankedWrite> into,
            CancellationToken cancellationToken)
    {
        List<string> said = [];
        foreach (var node in mustEndOn is null ? cluster.Nodes.Where(node => HasFilesOf(node, timeline)) : [mustEndOn])
        {
            var text = new WalDumpText(_table.Note, timeline);
            var end = await WalDump.ReadAsync(cluster.Launcher.Binaries, WalOf(node), timeline, start, text, cancellationToken)
                .ConfigureAwait(false);
            said.Add($"{node.Name}: {end}");
            foreach (var commit in text.Commits) into[(timeline, commit.Position, commit.Write.Key)] = commit;
            if (text.HasEnd) return;
        }

        if (mustEndOn is not null || said.Count == 0)
            throw new HistoryException(
                $"The WAL of timeline {timeline} from {start} on is incomplete: "
                + $"{string.Join("; ", said.DefaultIfEmpty("no node has any of it"))}. "
                + "wal_keep_size decides how long it is kept.");
    }

    private async Task<(LocalNode Node, uint Timeline)> LastPrimaryAsync(CancellationToken cancellationToken)
    {
        (LocalNode? Node, uint Timeline) last = default;
        foreach (var node in cluster.Nodes.Where(node => node.IsRunning))
        {
            if (!(await RegisterTable.ServerOfAsync(node.ConnectionString, cancellationToken).ConfigureAwait(false)).IsPrimary) continue;
            var (timeline, _) = await RegisterTable.PositionOfAsync(node.ConnectionString, cancellationToken).ConfigureAwait(false);
            if (timeline > last.Timeline) last = (node, timeline);
        }

        return last.Node is null
            ? throw new HistoryException("No primary is running, so the end of history is unknown.") : (last.Node, last.Timeline);
    }

    // Each history file describes the whole path to its timeline. Together they form a tree.
    private List<Fork> Forks()
    {
        var files = cluster.Nodes.SelectMany(node => Directory.EnumerateFiles(WalOf(node), "*.history"))
            .SelectMany(path => TimelineHistoryReader.Parse(File.ReadAllText(path), Timeline(Path.GetFileName(path))))
            .DistinctBy(fork => fork.Child).OrderBy(fork => fork.Child);
        HashSet<uint> reached = [_begin.Timeline];
        return [.. files.Where(fork => reached.Contains(fork.Parent) && reached.Add(fork.Child))];
    }

    private static bool HasFilesOf(LocalNode node, uint timeline) => Directory.EnumerateFiles(WalOf(node))
        .Any(path => Path.GetFileName(path) is { Length: 3 * TimelineDigits } name && Timeline(name) == timeline);

    private static uint Timeline(string file) =>
        uint.Parse(file.AsSpan(0, TimelineDigits), NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private static string WalOf(LocalNode node) => Path.Combine(node.DataDirectory, "pg_wal");
}
