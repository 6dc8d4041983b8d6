namespace Tidemark;

/// <summary>
/// Counts the responses that set a slot, grouped by the cookies of their requests. Parallel requests of one browser carry the same cookies,
/// and each of their responses adds one. Limits the size of the header that the browser sends next. Safe for concurrent use.
/// </summary>
internal sealed class SlotQuota(TimeProvider time)
{
    /// <summary>Maximum number of cookie jars that are counted at the same time. Responses to other jars are not limited.</summary>
    private const int MaxJars = 10_000;

    // Longer than the responses to one burst of requests take to arrive.
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly Dictionary<(int Jar, bool HasWritten), int> _taken = [];
    private long _start = time.GetTimestamp();

    /// <summary>Counts a slot that is about to be set. Returns <see langword="false"/> if there are too many.</summary>
    /// <param name="jar">
    /// A hash of the cookies that the request carried. Two jars with the same hash share their quota, which costs only efficiency.
    /// </param>
    /// <param name="hasWritten">
    /// Whether the response has to report a write. A response that only learned something needs a slot only if no other has one.
    /// </param>
    public bool TryTake(int jar, bool hasWritten)
    {
        lock (_lock)
        {
            if (time.GetElapsedTime(_start) >= Period)
            {
                _taken.Clear();
                _start = time.GetTimestamp();
            }

            var taken = _taken.GetValueOrDefault((jar, hasWritten));
            if (taken >= (hasWritten ? CookieSlots.MostPerJar : 1)) return false;
            if (taken > 0 || _taken.Count < MaxJars) _taken[(jar, hasWritten)] = taken + 1;
            return true;
        }
    }
}
