namespace Tidemark.Cli;

/// <summary>Prints records as a table, or as a list of records if the table is wider than the terminal.</summary>
internal sealed class Table<T>(params Column<T>[] columns)
{
    private const string Gap = "  ";

    public void Write(Terminal terminal, IReadOnlyCollection<T> records)
    {
        var rows = records.Select(record =>
            columns.Select(column => new Cell(Words.Printable(column.Text(record)), column.Tone?.Invoke(record) ?? Tone.Plain)).ToArray())
            .ToList();
        var widths = columns.Select((column, i) => rows.Select(row => row[i].Text.Length).Append(column.Name.Length).Max()).ToArray();
        if (widths.Sum() + (Gap.Length * (widths.Length - 1)) > terminal.Width) WriteBelow(terminal, rows);
        else WriteBeside(terminal, rows, widths);
    }

    public void WriteMarkdown(TextWriter output, IEnumerable<T> records)
    {
        output.WriteLine($"| {string.Join(" | ", columns.Select(column => column.Name))} |");
        output.WriteLine($"|{string.Concat(columns.Select(column => column.IsNumber ? "---:|" : "---|"))}");
        foreach (var record in records)
            output.WriteLine(
            $"| {string.Join(" | ", columns.Select(column => column.Text(record).Replace("|", "\\|", StringComparison.Ordinal)))} |");
    }

    private void WriteBeside(Terminal terminal, IEnumerable<Cell[]> rows, int[] widths)
    {
        string Line(Cell[] cells)
        {
            var last = Array.FindLastIndex(cells, cell => cell.Text.Length > 0);
            return string.Join(Gap, cells.Take(last + 1).Select((cell, i) =>
            {
                var (text, padding) = (terminal.Paint(cell.Text, cell.Tone), new string(' ', widths[i] - cell.Text.Length));
                return columns[i].IsNumber ? padding + text : i == last ? text : text + padding;
            }));
        }

        terminal.Out.WriteLine(Line([.. columns.Select(column => new Cell(column.Name, Tone.Strong))]));
        foreach (var row in rows) terminal.Out.WriteLine(Line(row));
    }

    private void WriteBelow(Terminal terminal, IEnumerable<Cell[]> rows)
    {
        foreach (var row in rows)
        {
            terminal.Line(row[0].Text, Tone.Strong);
            for (var i = 1; i < columns.Length; i++) Facts.Write(terminal, $"  {columns[i].Name}", row[i].Text, nameWidth: 0, row[i].Tone);
        }
    }

    private readonly record struct Cell(string Text, Tone Tone);
}
