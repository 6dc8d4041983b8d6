namespace Tidemark.Testing;

/// <summary>Asks again until the answer is yes. Only for what servers do not announce.</summary>
internal static class Poll
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(3);

    /// <summary>Whether the answer became yes within the limit.</summary>
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
