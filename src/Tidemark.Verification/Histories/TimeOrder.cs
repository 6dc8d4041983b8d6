namespace Tidemark.Verification;

/// <summary>Puts records in the order of time.</summary>
internal static class TimeOrder
{
    /// <summary>The numbers of records, ordered by a time of theirs.</summary>
    public static int[] Of(int count, Func<int, long> time)
    {
        var (order, times) = (new int[count], new long[count]);
        var isOrdered = true;
        for (var i = 0; i < count; i++)
        {
            (order[i], times[i]) = (i, time(i));
            isOrdered &= i == 0 || times[i - 1] <= times[i];
        }

        // Recorders append as operations end, so that one of the two orders is often there already.
        if (!isOrdered) Array.Sort(times, order);
        return order;
    }
}
