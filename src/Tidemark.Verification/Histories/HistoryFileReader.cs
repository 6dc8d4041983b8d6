namespace Tidemark.Verification;

/// <summary>Reads a history line by line, and reports the line of a contradiction.</summary>
internal sealed class HistoryFileReader(TextReader reader)
{
    public const string Head = "tidemark-history 1";

    public static readonly string[] Outcomes = ["acknowledged", "failed", "unknown"];

    public static readonly string[] Asks = ["nothing", "own-writes", "monotonic", "session"];

    private static readonly string[] Roles = ["replica", "primary"];

    // The line of each record by kind, for contradictions that only the whole history shows.
    private readonly BlockList<int>[] _lines = [.. Enum.GetValues<RecordKind>().Select(_ => new BlockList<int>())];
    private HistoryBuilder _builder = new();
    private int _line;
    private long _records;
    private bool _isComplete;

    /// <exception cref="HistoryException">The text is truncated, malformed or contradicts itself.</exception>
    public History Read()
    {
        try
        {
            while (reader.ReadLine() is { } line)
            {
                _line = checked(_line + 1);
                Record(line);
            }

            if (_isComplete) return _builder.Build();
        }
        catch (HistoryException e)
        {
            var lines = _lines[(int)e.Record.Kind];
            throw new HistoryException(e.Record.Index < lines.Count ? lines[e.Record.Index] : _line, e.Message, e);
        }
        catch (Exception e) when (e is FormatException or OverflowException or ArgumentException)
        {
            throw new HistoryException(_line, e.Message, e);
        }

        throw new HistoryException(_line, "the last line is not \"end\": the history is truncated.");
    }

    private void Record(string line)
    {
        if (_line == 1)
        {
            if (!line.StartsWith(Head + " ", StringComparison.Ordinal))
                throw new FormatException($"a history must begin with \"{Head}\" and the number of ticks per second.");
            _builder = new HistoryBuilder(new HistoryLine(line.AsSpan(Head.Length + 1)).LastNumber());
            return;
        }

        var fields = new HistoryLine(line);
        var keyword = fields.Word();
        if (keyword.IsEmpty || keyword[0] == '#') return;
        if (_isComplete) throw new FormatException("no line may follow \"end\".");
        switch (keyword)
        {
            case "node": _builder.AddNode(fields.Rest() ?? throw new FormatException("the node name is missing.")); break;
            case "client": _builder.AddClient(fields.Rest()); break;
            case "write": Write(ref fields); break;
            case "read": ReadRows(ref fields); break;
            case "commit": Commit(ref fields); break;
            case "hand-over": HandOver(ref fields); break;
            case "fork": Fork(ref fields); break;
            case "loss": Loss(ref fields); break;
            case "settled": Settled(ref fields); break;
            case "end": End(ref fields); return;
            default: throw new FormatException($"\"{keyword}\" is not a record type of a history.");
        }

        _records++;
    }

    private void Write(ref HistoryLine fields)
    {
        _builder.Write(fields.Int(), fields.Number(), fields.Number(), fields.Number(), fields.Number(), fields.Number(),
            (HistoryOutcome)fields.LastOneOf(Outcomes));
        _lines[(int)RecordKind.Operation].Add(_line);
    }

    private void ReadRows(ref HistoryLine fields)
    {
        var (client, start, end, node) = (fields.Int(), fields.Number(), fields.Number(), fields.Int());
        var onPrimary = fields.OneOf(Roles) == 1;
        var guarantees = (ReadGuarantees)fields.OneOf(Asks);
        var maxStaleness = fields.NumberOr("-", HistoryBuilder.NoBound);
        Span<Observation> rows = stackalloc Observation[HistoryBuilder.MaxKeysPerRead + 1];
        var count = 0;
        while (count < rows.Length && fields.TryRow(out rows[count])) count++;
        _builder.Read(client, start, end, node, onPrimary, rows[..count], guarantees, maxStaleness);
        _lines[(int)RecordKind.Operation].Add(_line);
    }

    private void Commit(ref HistoryLine fields)
    {
        _builder.Commit(fields.Number(), fields.Number(), fields.Number(), fields.Timeline(), fields.LastNumber());
        _lines[(int)RecordKind.Commit].Add(_line);
    }

    private void HandOver(ref HistoryLine fields)
    {
        _builder.HandOver(fields.Int(), fields.Int(), fields.Number(), fields.LastNumber());
        _lines[(int)RecordKind.HandOver].Add(_line);
    }

    private void Fork(ref HistoryLine fields)
    {
        var (parent, child, atRank) = (fields.Timeline(), fields.Timeline(), fields.Number());
        _builder.Fork(parent, child, atRank, fields.IsAtEnd ? long.MinValue : fields.LastNumber());
        _lines[(int)RecordKind.Fork].Add(_line);
    }

    private void Loss(ref HistoryLine fields)
    {
        _builder.LossReported(fields.Int(), fields.LastNumber());
        _lines[(int)RecordKind.Loss].Add(_line);
    }

    private void Settled(ref HistoryLine fields)
    {
        _builder.Settle(fields.Number(), fields.LastNumber());
        _lines[(int)RecordKind.Settlement].Add(_line);
    }

    private void End(ref HistoryLine fields)
    {
        var expected = fields.LastNumber();
        if (expected != _records) throw new FormatException($"the history should have {expected} records, but has {_records}.");
        _isComplete = true;
    }
}
