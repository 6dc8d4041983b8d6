using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace Tidemark.Verification;

/// <summary>
/// Receives the trace of a simulated world (<see cref="SimulationOptions.Trace"/>) and keeps the events on servers and processes for a
/// report. A line consists of a time in seconds, two spaces, and a sentence. Lines of clients begin with <c>c</c> and the client's number,
/// and are left out.
/// </summary>
/// <param name="forward">
/// A writer that receives the whole trace as well, or <see langword="null"/> (the default). It is not disposed.
/// </param>
public sealed class SimulationEvents(TextWriter? forward = null) : TextWriter
{
    private readonly ImmutableArray<HistoryPageEvent>.Builder _events = ImmutableArray.CreateBuilder<HistoryPageEvent>();

    /// <inheritdoc/>
    public override Encoding Encoding => Encoding.UTF8;

    /// <summary>The events so far, in order.</summary>
    public ImmutableArray<HistoryPageEvent> Events => _events.ToImmutable();

    /// <inheritdoc/>
    public override void Write(char value) => forward?.Write(value);

    /// <inheritdoc/>
    public override void WriteLine(string? value)
    {
        forward?.WriteLine(value);
        var line = value.AsSpan().TrimStart();
        var space = line.IndexOf(' ');
        if (space < 0 || !double.TryParse(line[..space], NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds)) return;
        var text = line[space..].Trim();
        if (text.Length > 1 && text[0] == 'c' && char.IsAsciiDigit(text[1])) return;
        _events.Add(new HistoryPageEvent(TimeSpan.FromSeconds(seconds), text.ToString()));
    }
}
