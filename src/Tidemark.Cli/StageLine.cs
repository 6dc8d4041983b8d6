namespace Tidemark.Cli;

/// <summary>One line on a terminal that says what is under way, until it is cleared. Nothing is seen of it before it is shown.</summary>
internal sealed class StageLine(TextWriter output, int width, string first)
{
    private readonly Lock _gate = new();
    private string _stage = first;
    private int _drawn;
    private bool _isShown;

    /// <summary>Notes the stage; safe to call from several threads.</summary>
    public void Tell(string stage)
    {
        lock (_gate)
        {
            _stage = stage;
            if (_isShown) Draw();
        }
    }

    /// <summary>Begins to show it.</summary>
    public void Show()
    {
        lock (_gate)
        {
            _isShown = true;
            Draw();
        }
    }

    /// <summary>Takes it away. Stages that are told later are not shown.</summary>
    public void Clear()
    {
        lock (_gate)
        {
            if (_isShown) Erase();
            _isShown = false;
            output.Flush();
        }
    }

    // No longer than the terminal is wide: a line that has been broken in two cannot be taken away.
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
