namespace Tidemark.Cli;

/// <summary>
/// A progress line on a terminal that shows the current stage. Invisible until <see cref="Show"/>, and removed by <see cref="Clear"/>.
/// </summary>
internal sealed class StageLine(TextWriter output, int width, string first)
{
    private readonly Lock _gate = new();
    private string _stage = first;
    private int _drawn;
    private bool _isShown;

    /// <summary>Sets the current stage. Thread-safe.</summary>
    public void Report(string stage)
    {
        lock (_gate)
        {
            _stage = stage;
            if (_isShown) Draw();
        }
    }

    /// <summary>Shows the line.</summary>
    public void Show()
    {
        lock (_gate)
        {
            _isShown = true;
            Draw();
        }
    }

    /// <summary>Removes the line. Later stages are not shown.</summary>
    public void Clear()
    {
        lock (_gate)
        {
            if (_isShown) Erase();
            _isShown = false;
            output.Flush();
        }
    }

    // Never longer than the terminal is wide, since a wrapped line cannot be erased.
    private void Draw()
    {
        Erase();
        var room = Math.Max(0, width - " …".Length - 1);
        var line = $"{Words.Printable(_stage.Length > room ? _stage[..room] : _stage)} …";
        output.Write(line);
        output.Flush();
        _drawn = line.Length;
    }

    private void Erase()
    {
        if (_drawn > 0) output.Write($"\r{new string(' ', _drawn)}\r");
        _drawn = 0;
    }
}
