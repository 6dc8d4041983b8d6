namespace Tidemark.Verification;

/// <summary>What the sessions of a <see cref="HistoryWorkload"/> do. The defaults work.</summary>
public sealed record HistoryWorkloadOptions
{
    /// <summary>How many sessions run at once. Default 8; 1 to 1,000.</summary>
    public int Sessions { get; init; } = 8;

    /// <summary>How many operations a session does before it ends and the next one begins. Default 20; from 1.</summary>
    public int OperationsPerSession { get; init; } = 20;

    /// <summary>The share of operations that are writes. Default 0.2; 0 to 1.</summary>
    public double WriteShare { get; init; } = 0.2;

    /// <summary>
    /// The share of sessions that end by handing over to one that goes on elsewhere, by a token as text. Default 0.5; 0 to 1.
    /// </summary>
    public double HandOverShare { get; init; } = 0.5;

    /// <summary>
    /// The most rows that a read shows. Default 4; 1 to <see cref="HistoryBuilder.MaxKeysPerRead"/>, and at most the recorder's
    /// <see cref="HistoryRecorder.Keys"/>.
    /// </summary>
    public int KeysPerRead { get; init; } = 4;

    /// <summary>
    /// What reads ask for; each session draws one level and keeps to it. Default <see cref="Consistency.Session"/> alone.
    /// </summary>
    public IReadOnlyList<Consistency> Levels { get; init; } = [Consistency.Session];

    /// <summary>How long sessions go on. Default 10 s; above 0. What has begun by then is completed.</summary>
    public TimeSpan Duration { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a session waits after an operation that failed. Default 10 ms; from 0.</summary>
    public TimeSpan PauseAfterFailure { get; init; } = TimeSpan.FromMilliseconds(10);

    /// <summary>The seed of the sessions' choices. What real servers make of them differs each time all the same.</summary>
    public long Seed { get; init; } = 1;

    /// <summary>Receives where the workload stands, four times a second. Default null.</summary>
    public IProgress<HistoryWorkloadProgress>? Progress { get; init; }

    /// <summary>All that is wrong with these options; empty when they can be used.</summary>
    internal IEnumerable<string> FindErrors(int keys)
    {
        if (Sessions is < 1 or > 1000) yield return $"Sessions is {Sessions}; it must be 1 to 1,000.";
        if (OperationsPerSession < 1) yield return $"OperationsPerSession is {OperationsPerSession}; it must be at least 1.";
        if (WriteShare is not (>= 0 and <= 1)) yield return $"WriteShare is {WriteShare}; it must be 0 to 1.";
        if (HandOverShare is not (>= 0 and <= 1)) yield return $"HandOverShare is {HandOverShare}; it must be 0 to 1.";
        if (KeysPerRead < 1 || KeysPerRead > int.Min(keys, HistoryBuilder.MaxKeysPerRead))
            yield return $"KeysPerRead is {KeysPerRead}; it must be 1 to {int.Min(keys, HistoryBuilder.MaxKeysPerRead)}.";
        if (Levels.Count == 0) yield return "Levels is empty; reads must ask for something, if only Eventual.";
        if (Duration <= TimeSpan.Zero) yield return $"Duration is {Duration}; it must be above 0.";
        if (PauseAfterFailure < TimeSpan.Zero) yield return $"PauseAfterFailure is {PauseAfterFailure}; it must be at least 0.";
    }
}
