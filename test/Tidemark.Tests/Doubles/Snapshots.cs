using NpgsqlTypes;

namespace Tidemark;

/// <summary>Snapshots of nodes named pg-1, pg-2 and so on, made of the answers they gave, in that order.</summary>
internal static class Snapshots
{
    public const ulong Ours = 7001;
    public const ulong Theirs = 9009;

    public static ProbeAnswer Primary(ulong position = 100, uint timeline = 1, ulong identifier = Ours) => new()
    {
        Epoch = Run(1),
        SystemIdentifier = identifier,
        Timeline = timeline,
        SeesTimeline = true,
        Lsn = At(position),
        InsertLsn = At(position),
    };

    public static ProbeAnswer Replica(ulong position = 100, uint timeline = 1, ulong identifier = Ours) =>
        Primary(position, timeline, identifier) with { IsInRecovery = true, InsertLsn = default };

    public static ProbeAnswer OnAurora { get; } = new() { IsAurora = true };

    public static ProbeAnswer Silence { get; } = ProbeAnswer.Failed("connection refused");

    /// <summary>The nodes after these answers; null: the node has not been asked yet.</summary>
    public static ClusterSnapshot Of(params ProbeAnswer?[] answers)
    {
        var snapshot = ClusterSnapshot.Unprobed([.. answers.Select((_, index) => $"pg-{index + 1}")]);
        for (var index = 0; index < answers.Length; index++)
            if (answers[index] is { } answer) snapshot = snapshot.Then(index, answer);
        return snapshot;
    }

    /// <summary>The snapshot after one more answer.</summary>
    public static ClusterSnapshot Then(this ClusterSnapshot before, int index, ProbeAnswer answer, long probeNumber = 1, long sentAt = 0,
        long? receivedAt = null) =>
        SnapshotRules.After(before, index, answer, probeNumber, sentAt, TimeSpan.TicksPerSecond, receivedAt);

    /// <summary>A run of a server; each begins with a new postmaster and new statistics.</summary>
    public static ServerEpoch Run(int number) => new(DateTimeOffset.UnixEpoch.AddHours(number), DateTimeOffset.UnixEpoch.AddHours(number));

    /// <summary>The same run after clean restarts.</summary>
    public static ServerEpoch Restarted(this ServerEpoch epoch, int hour = 1) => epoch with { StartedAt = epoch.StartedAt.AddHours(hour) };

    /// <summary>The same postmaster after the crash of one backend, or a reset of its statistics.</summary>
    public static ServerEpoch Reset(this ServerEpoch epoch, int hour = 1) =>
        epoch with { StatisticsResetAt = epoch.StatisticsResetAt.AddHours(hour) };

    public static NpgsqlLogSequenceNumber At(ulong position) => new(position);

    public static WalPosition Position(ulong position, uint timeline = 1) => new(timeline, At(position));

    public static ConcludedStatus[] Statuses(this ClusterSnapshot snapshot) => [.. snapshot.Nodes.Select(n => n.Status)];
}
