namespace Tidemark;

/// <summary>A seeded random number generator that threads can share without a lock (SplitMix64, Steele 2014).</summary>
internal sealed class Chance(long seed)
{
    private const long Golden = unchecked((long)0x9E3779B97F4A7C15);
    private long _state = seed;

    /// <summary>Returns a random number that is at least 0 and less than 1.</summary>
    public double Next()
    {
        var z = (ulong)Interlocked.Add(ref _state, Golden);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        z ^= z >> 31;
        return (z >> 11) * (1.0 / (1UL << 53));
    }
}
