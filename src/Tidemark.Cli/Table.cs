namespace Tidemark.Cli;

/// <summary>One column of a table.</summary>
internal sealed record Column<T>(string Name, Func<T, string> Text, bool IsNumber = false);

/// <summary>Prints records as a table, or, where that is wider than the terminal, one record below the other.</summary>
internal sealed class Table<T>(params Column<T>[] columns)
{
    private const string Gap = "  ";

    public void Write(Terminal terminal, IReadOnlyCollection<T> records)
    {
        var rows = records.Select(record => columns.Select(column => column.Text(record)).ToArray()).ToList();
        var widths = columns.Select((column, i) => rows.Select(row => row[i].Length).Append(column.Name.Length).Max()).ToArray();
        if (widths.Sum() + (Gap.Length * (widths.Length - 1)) > terminal.Width) WriteBelow(terminal, rows);
        else WriteBeside(terminal, rows, widths);
    }

    public void WriteMarkdown(TextWriter output, IEnumerable<T> records)
    {
        output.WriteLine($"| {string.Join(" | ", columns.Select(column => column.Name))} |");
        output.WriteLine($"|{string.Concat(columns.Select(column => column.IsNumber ? "---:|" : "---|"))}");
        foreach (var record in records) output.WriteLine($"| {string.Join(" | ", columns.Select(column => column.Text(record).Replace("|", "\\|", StringComparison.Ordinal)))} |");
    }

    private void WriteBeside(Terminal terminal, IEnumerable<string[]> rows, int[] widths)
    {
        string Line(string[] cells) => string.Join(Gap, cells.Select((cell, i) => columns[i].IsNumber ? cell.PadLeft(widths[i]) : cell.PadRight(widths[i]))).TrimEnd();

        terminal.Out.WriteLine(terminal.Paint(Line([.. columns.Select(column => column.Name)]), Tone.Strong));
        foreach (var row in rows) terminal.Out.WriteLine(Line(row));
    }

    private void WriteBelow(Terminal terminal, IEnumerable<string[]> rows)
    {
        foreach (var row in rows)
        {
            terminal.Line(row[0], Tone.Strong);
            for (var i = 1; i < columns.Length; i++) Facts.Write(terminal, $"  {columns[i].Name}", row[i], nameWidth: 0);
        }
    }
}

/// <summary>Prints names and values, a pair to a line.</summary>
internal static class Facts
{
    private const int Indent = 4;

    public static void Write(Terminal terminal, params (string Name, string Value)[] facts)
    {
        var width = facts.Max(fact => fact.Name.Length);
        foreach (var (name, value) in facts) Write(terminal, name, value, width);
    }

    public static void Write(Terminal terminal, string name, string value, int nameWidth)
    {
        var padded = name.PadRight(nameWidth);
        if (padded.Length + 2 + value.Length <= terminal.Width)
        {
            terminal.Out.WriteLine($"{terminal.Paint(padded, Tone.Quiet)}  {value}");
            return;
        }

        terminal.Line(name, Tone.Quiet);
        foreach (var line in Words.Wrap(value, Math.Max(1, terminal.Width - Indent))) terminal.Out.WriteLine($"{new string(' ', Indent)}{line}");
    }
}
