namespace Tidemark.Testing;

/// <summary>Polls a condition until it is true. Only for conditions without a notification.</summary>
internal static class Poll
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(3);

    /// <summary>Returns whether the condition became true within the limit.</summary>
    public static async Task<bool> UntilAsync(
        Func<ValueTask<bool>> isDone, TimeSpan limit, TimeProvider time, CancellationToken cancellationToken)
    {
        var start = time.GetTimestamp();
        while (!await isDone().ConfigureAwait(false))
        {
            if (time.GetElapsedTime(start) > limit)
                return false;
            await Task.Delay(Interval, time, cancellationToken).ConfigureAwait(false);
        }

        return true;
    }
}
