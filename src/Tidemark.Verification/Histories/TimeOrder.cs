namespace Tidemark.Verification;

/// <summary>Sorts records by time.</summary>
internal static class TimeOrder
{
    /// <summary>Returns the numbers of the records, sorted by one of their times.</summary>
    public static int[] Of(int count, Func<int, long> time)
    {
        var (order, times) = (new int[count], new long[count]);
        var isOrdered = true;
        for (var i = 0; i < count; i++)
        {
            (order[i], times[i]) = (i, time(i));
            isOrdered &= i == 0 || times[i - 1] <= times[i];
        }

        // Recorders append operations as they end, so one of the two orders is often already sorted.
        if (!isOrdered) Array.Sort(times, order);
        return order;
    }
}
