namespace Tidemark.Verification;

/// <summary>Options of the sessions of a <see cref="HistoryWorkload"/>. All have working defaults.</summary>
public sealed record HistoryWorkloadOptions
{
    /// <summary>Number of concurrent sessions, from 1 to 1,000. Default: 8.</summary>
    public int Sessions { get; init; } = 8;

    /// <summary>Number of operations in a session before it ends and the next one begins, at least 1. Default: 20.</summary>
    public int OperationsPerSession { get; init; } = 20;

    /// <summary>The share of operations that are writes, from 0 to 1. Default: 0.2.</summary>
    public double WriteShare { get; init; } = 0.2;

    /// <summary>The share of sessions that end by handing over to another session, by a token as text. From 0 to 1. Default: 0.5.</summary>
    public double HandOverShare { get; init; } = 0.5;

    /// <summary>
    /// Maximum number of rows that a read shows, from 1 to <see cref="HistoryBuilder.MaxKeysPerRead"/>, and at most the recorder's
    /// <see cref="HistoryRecorder.Keys"/>. Default: 4.
    /// </summary>
    public int KeysPerRead { get; init; } = 4;

    /// <summary>
    /// The consistency levels that reads require. Each session chooses one level at random for all its reads. Default:
    /// <see cref="Consistency.Session"/> only.
    /// </summary>
    public IReadOnlyList<Consistency> Levels { get; init; } = [Consistency.Session];

    /// <summary>Run time of the sessions, greater than 0. Operations in progress at the end are completed. Default: 10 s.</summary>
    public TimeSpan Duration { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Delay of a session after a failed operation, at least 0. Default: 10 ms.</summary>
    public TimeSpan PauseAfterFailure { get; init; } = TimeSpan.FromMilliseconds(10);

    /// <summary>Seed of the sessions' random choices. With real servers, the results still differ between runs. Default: 1.</summary>
    public long Seed { get; init; } = 1;

    /// <summary>Receives the progress of the workload four times a second. Default: <see langword="null"/>.</summary>
    public IProgress<HistoryWorkloadProgress>? Progress { get; init; }

    /// <summary>Returns all errors in these options, or an empty sequence if they are valid.</summary>
    internal IEnumerable<string> FindErrors(int keys)
    {
        if (Sessions is < 1 or > 1000) yield return $"Sessions is {Sessions}. It must be from 1 to 1,000.";
        if (OperationsPerSession < 1) yield return $"OperationsPerSession is {OperationsPerSession}. It must be at least 1.";
        if (WriteShare is not (>= 0 and <= 1)) yield return $"WriteShare is {WriteShare}. It must be from 0 to 1.";
        if (HandOverShare is not (>= 0 and <= 1)) yield return $"HandOverShare is {HandOverShare}. It must be from 0 to 1.";
        if (KeysPerRead < 1 || KeysPerRead > int.Min(keys, HistoryBuilder.MaxKeysPerRead))
            yield return $"KeysPerRead is {KeysPerRead}. It must be from 1 to {int.Min(keys, HistoryBuilder.MaxKeysPerRead)}.";
        if (Levels.Count == 0) yield return "Levels is empty. It must contain at least one consistency level, such as Eventual.";
        if (Duration <= TimeSpan.Zero) yield return $"Duration is {Duration}. It must be greater than 0.";
        if (PauseAfterFailure < TimeSpan.Zero) yield return $"PauseAfterFailure is {PauseAfterFailure}. It must be at least 0.";
    }
}
