using Tidemark.Verification;

namespace Tidemark;

/// <summary>Small histories for tests, in the file format.</summary>
internal static class Histories
{
    /// <summary>
    /// Creates a history of two clients (0 and 1), two replicas (nodes 0 and 1) and a primary (node 2), followed by the lines of
    /// <paramref name="records"/>. The end line is added.
    /// </summary>
    public static History Of(string records) => HistoryFile.Read(new StringReader(Text(records)));

    public static string Text(string records)
    {
        string[] lines =
            ["node replica-1", "node replica-2", "node primary", "client alice", "client bob",
            .. records.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)];
        return $"tidemark-history 1 10\n{string.Join('\n', lines)}\nend {lines.Length}\n";
    }

    public static HistoryVerdict Check(string records) => HistoryChecker.Check(Of(records));
}
