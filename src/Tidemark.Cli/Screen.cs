namespace Tidemark.Cli;

/// <summary>
/// A page that is redrawn on the alternate screen of the terminal, which preserves the previous contents. In a pipe, the pages follow each
/// other.
/// </summary>
internal sealed class Screen : IDisposable
{
    // Control sequences of xterm, which all terminals support: alternate screen, cursor, top left, clear to end of line or page.
    private const string Enter = "\e[?1049h\e[?25l";
    private const string Leave = "\e[?25h\e[?1049l";
    private const string Home = "\e[H";
    private const string ClearLine = "\e[K";
    private const string ClearBelow = "\e[J";

    private readonly Terminal _terminal;

    public Screen(Terminal terminal)
    {
        _terminal = terminal;
        if (terminal.IsScreen) terminal.Out.Write(Enter);
    }

    /// <summary>Draws the page.</summary>
    public void Show(Action<Terminal> draw)
    {
        if (!_terminal.IsScreen)
        {
            draw(_terminal);
            _terminal.Line();
            return;
        }

        // Overwrites the old page line by line, since clearing the screen first would flicker.
        using var page = new StringWriter { NewLine = $"{ClearLine}\n" };
        draw(_terminal.Onto(page));
        _terminal.Out.Write(Home + page + ClearBelow);
        _terminal.Out.Flush();
    }

    public void Dispose()
    {
        if (_terminal.IsScreen) _terminal.Out.Write(Leave);
    }
}
