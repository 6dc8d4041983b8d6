namespace Tidemark.Cli;

/// <summary>Prints names and values, one pair per line.</summary>
internal static class Facts
{
    private const int Indent = 4;

    public static void Write(Terminal terminal, params (string Name, string Value)[] facts)
    {
        var width = facts.Max(fact => fact.Name.Length);
        foreach (var (name, value) in facts) Write(terminal, name, value, width);
    }

    public static void Write(Terminal terminal, string name, string value, int nameWidth, Tone tone = Tone.Plain)
    {
        (name, value) = (Words.Printable(name), Words.Printable(value));
        var padded = name.PadRight(nameWidth);
        if (padded.Length + 2 + value.Length <= terminal.Width)
        {
            terminal.Out.WriteLine($"{terminal.Paint(padded, Tone.Quiet)}  {terminal.Paint(value, tone)}");
            return;
        }

        terminal.Line(name, Tone.Quiet);
        terminal.Line(value, tone, Indent);
    }
}
