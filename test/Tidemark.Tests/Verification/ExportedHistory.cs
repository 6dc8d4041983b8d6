using System.Text.RegularExpressions;

namespace Tidemark;

/// <summary>
/// Checks an exported history by the definitions alone (Adya 1999, with the order of each session as edges). A history is wrong if a value
/// of a failed write was read, or if the dependencies over all sessions have a cycle. It uses only the contents of the file.
/// </summary>
internal sealed class ExportedHistory
{
    private readonly Dictionary<string, Transaction> _transactions = [];

    private sealed class Transaction(string session)
    {
        public string Session { get; } = session;

        public bool IsFailed { get; init; }

        public List<(string Key, string Value)> Reads { get; } = [];

        public List<(string Key, string Value)> Writes { get; } = [];
    }

    /// <summary>Reads lines in the format of Plume and AWDIT. Transactions are in the order of their sessions.</summary>
    public static ExportedHistory OfPlume(string text)
    {
        var history = new ExportedHistory();
        foreach (var (index, line) in text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Index())
        {
            var fields = line[2..^1].Split(',');
            var isFailed = fields[3] == "-1";
            var name = isFailed ? $"failed {index}" : fields[3];
            if (!history._transactions.TryGetValue(name, out var transaction))
                history._transactions.Add(name, transaction = new Transaction(fields[2]) { IsFailed = isFailed });
            (line[0] == 'r' ? transaction.Reads : transaction.Writes).Add((fields[0], fields[1]));
        }

        return history;
    }

    /// <summary>Reads Elle's list-append format, where a read shows the last value of its list.</summary>
    public static ExportedHistory OfElle(string text)
    {
        var history = new ExportedHistory();
        foreach (var line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var head = Regex.Match(line, @"^\{:index (\d+), :type :(\w+), :process (\d+)");
            if (head.Groups[2].Value == "invoke") continue;
            var transaction = new Transaction(head.Groups[3].Value) { IsFailed = head.Groups[2].Value == "fail" };
            foreach (Match element in Regex.Matches(line, @"\[:append (-?\d+) (-?\d+)\]"))
                transaction.Writes.Add((element.Groups[1].Value, element.Groups[2].Value));
            foreach (Match element in Regex.Matches(line, @"\[:r (-?\d+) \[([^\]]*)\]\]"))
                transaction.Reads.Add(
                    (element.Groups[1].Value, element.Groups[2].Value.Split(' ')[^1] is { Length: > 0 } last ? last : "0"));
            history._transactions.Add(head.Groups[1].Value, transaction);
        }

        return history;
    }

    public bool IsWrong()
    {
        var failed = _transactions.Values.Where(one => one.IsFailed).SelectMany(one => one.Writes).ToHashSet();
        return _transactions.Values.Any(one => one.Reads.Any(failed.Contains)) || HasCycle(Edges());
    }

    private Dictionary<Transaction, HashSet<Transaction>> Edges()
    {
        Transaction[] committed = [.. _transactions.Values.Where(one => !one.IsFailed)];
        var writers = committed.SelectMany(one => one.Writes.Select(write => (write, one))).ToDictionary();

        // A transaction that reads a value and writes another replaces it. This gives the order of versions.
        var followers =
            committed.SelectMany(one =>
            one.Writes.SelectMany(write => one.Reads.Where(read => read.Key == write.Key).Select(read => (read, one)))).ToDictionary();
        var edges = committed.ToDictionary(one => one, _ => new HashSet<Transaction>());
        foreach (var one in committed)
        {
            foreach (var read in one.Reads)
            {
                if (writers.TryGetValue(read, out var writer)) edges[writer].Add(one);
                if (followers.TryGetValue(read, out var follower) && follower != one) edges[one].Add(follower);
            }
        }

        foreach (var session in committed.GroupBy(one => one.Session))
        {
            foreach (var (one, next) in session.Zip(session.Skip(1))) edges[one].Add(next);
        }

        return edges;
    }

    // Repeatedly removes what has no predecessor, until only cycles are left.
    private static bool HasCycle(Dictionary<Transaction, HashSet<Transaction>> edges)
    {
        var left = edges.Keys.ToHashSet();
        while (left.FirstOrDefault(one => !left.Any(other => edges[other].Contains(one))) is { } first) left.Remove(first);
        return left.Count > 0;
    }
}
