namespace Tidemark.Cli;

/// <summary>
/// A page that is drawn over and over on the terminal's second screen, which leaves what stood there before as it was. In a pipe, one page
/// below the other.
/// </summary>
internal sealed class Screen : IDisposable
{
    // As xterm named them, and every terminal since: second screen, no cursor; top left; the rest of the line, of the page.
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

        // Drawn line by line over the old one and not on a cleared screen, which would flicker.
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
