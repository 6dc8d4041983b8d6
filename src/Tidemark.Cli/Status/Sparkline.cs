namespace Tidemark.Cli.Status;

/// <summary>The latest values as a row of bars, scaled to the highest value. Unknown values are gaps.</summary>
internal sealed class Sparkline(int width)
{
    private const string Bars = "▁▂▃▄▅▆▇█";

    private readonly Queue<double?> _figures = new();

    public void Add(double? figure)
    {
        _figures.Enqueue(figure);
        if (_figures.Count > width) _figures.Dequeue();
    }

    public override string ToString()
    {
        var most = _figures.Max() ?? 0;
        return string.Concat(
            _figures.Select(figure => figure is not { } value
            ? ' ' : Bars[most <= 0 ? 0 : (int)Math.Min(Bars.Length - 1, value / most * Bars.Length)]));
    }
}
