using System.Buffers;
using System.Globalization;
using System.Text;
using NpgsqlTypes;

namespace Tidemark.Verification;

/// <summary>
/// Reads the transactions and messages that <c>pg_waldump</c> prints, line by line: which recorded writes were committed, and where. Pure.
/// </summary>
/// <param name="prefix">The prefix of the messages that record writes.</param>
/// <param name="timeline">The timeline of the lines.</param>
internal sealed class WalDumpText(string prefix, uint timeline)
{
    private const string Payload = " bytes): ";

    private readonly string _message = $"MESSAGE transactional, prefix \"{prefix}\"; payload (";

    // By the transaction or subtransaction that wrote them. A commit record names its subtransactions.
    private readonly Dictionary<uint, List<string>> _open = [];

    public List<RankedWrite> Commits { get; } = [];

    /// <summary>Whether the end marker was read.</summary>
    public bool HasEnd { get; private set; }

    public void Add(string line)
    {
        var isMessage = line.StartsWith("rmgr: LogicalMessage", StringComparison.Ordinal);
        if (!isMessage && !line.StartsWith("rmgr: Transaction", StringComparison.Ordinal)) return;
        var transaction = Number(Between(line, "tx:", ","));
        var description = line.AsSpan(line.IndexOf("desc: ", StringComparison.Ordinal) + "desc: ".Length);
        if (isMessage) Note(transaction, description);
        else if (description.StartsWith("COMMIT_PREPARED "))
            Commit(line, Number(description["COMMIT_PREPARED ".Length..description.IndexOf(':')]), description);
        else if (description.StartsWith("COMMIT ")) Commit(line, transaction, description);
    }

    private void Note(uint transaction, ReadOnlySpan<char> description)
    {
        if (!description.StartsWith(_message)) return;
        var bytes = new ArrayBufferWriter<byte>();
        var text = description[(description.IndexOf(Payload) + Payload.Length)..];
        foreach (var field in text.Split(' '))
        {
            if (text[field].Length == 2) bytes.Write([byte.Parse(text[field], NumberStyles.HexNumber, CultureInfo.InvariantCulture)]);
        }

        if (!_open.TryGetValue(transaction, out var notes)) _open.Add(transaction, notes = []);
        notes.Add(Encoding.UTF8.GetString(bytes.WrittenSpan));
    }

    private void Commit(string line, uint transaction, ReadOnlySpan<char> description)
    {
        var position = (ulong)NpgsqlLogSequenceNumber.Parse(Between(line, "lsn: ", ","));
        Close(transaction, position);
        var subtransactions = description.IndexOf("; subxacts:");
        if (subtransactions < 0) return;
        var list = description[(subtransactions + "; subxacts:".Length)..];
        if (list.IndexOf(';') is >= 0 and var end) list = list[..end];
        foreach (var field in list.Split(' '))
        {
            if (!list[field].IsEmpty) Close(Number(list[field]), position);
        }
    }

    private void Close(uint transaction, ulong position)
    {
        if (!_open.Remove(transaction, out var notes)) return;
        foreach (var note in notes)
        {
            if (RegisterTable.Parse(note) is { } write) Commits.Add(new RankedWrite(write, timeline, position));
            else HasEnd = true;
        }
    }

    private static uint Number(ReadOnlySpan<char> text) =>
        uint.Parse(text, NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture);

    private static ReadOnlySpan<char> Between(string line, string before, string after)
    {
        var start = line.IndexOf(before, StringComparison.Ordinal) + before.Length;
        return line.AsSpan(start, line.IndexOf(after, start, StringComparison.Ordinal) - start);
    }
}
