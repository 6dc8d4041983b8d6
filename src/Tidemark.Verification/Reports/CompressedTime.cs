namespace Tidemark.Verification;

/// <summary>
/// A time axis on which every moment of interest has a distinct position. A gap that is a thousand times as long is drawn only a few times
/// as wide. Operations of microseconds thus remain visible beside pauses of seconds.
/// </summary>
internal sealed class CompressedTime
{
    private const double LeastGapSeconds = 1e-5;

    private readonly long[] _times;
    private readonly double[] _positions;

    public CompressedTime(IEnumerable<long> times, long ticksPerSecond, double left, double right)
    {
        _times = [.. times.Distinct().Order()];
        _positions = new double[_times.Length];
        for (var i = 1; i < _times.Length; i++)
        {
            var gapSeconds = (double)(_times[i] - _times[i - 1]) / ticksPerSecond;
            _positions[i] = _positions[i - 1] + 1 + (0.8 * Math.Log10(1 + (gapSeconds / LeastGapSeconds)));
        }

        var width = _positions.Length == 0 || _positions[^1] == 0 ? 1 : _positions[^1];
        for (var i = 0; i < _positions.Length; i++) _positions[i] = left + (_positions[i] / width * (right - left));
    }

    /// <summary>Returns the x coordinate of a time: that of the last moment of interest no later than it.</summary>
    public double X(long time)
    {
        var index = Array.BinarySearch(_times, time);
        return _positions[Math.Clamp(index >= 0 ? index : ~index - 1, 0, _positions.Length - 1)];
    }
}
