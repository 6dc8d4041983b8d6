namespace Tidemark;

/// <summary>
/// Counts the responses that set a slot, by the cookies that their requests brought: many parallel requests of one browser bring the same
/// ones, and each of their
/// responses adds a cookie. Limits the size of the header that the browser sends next. Safe for concurrent use.
/// </summary>
internal sealed class SlotQuota(TimeProvider time)
{
    /// <summary>Maximum number of jars that are counted at the same time; responses to others are not limited.</summary>
    private const int MaxJars = 10_000;

    // Longer than the responses to one burst of requests need to arrive.
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly Dictionary<(int Jar, bool HasWritten), int> _taken = [];
    private long _start = time.GetTimestamp();

    /// <summary>Counts a slot that is about to be set; returns <see langword="false"/> if there are too many.</summary>
    /// <param name="jar">
    /// A hash of the cookies that the request brought. Two jars of one hash share their quota, which costs efficiency only.
    /// </param>
    /// <param name="hasWritten">
    /// The response has to tell of a write. One that only learned something needs a slot only if no other does.
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
