namespace Tidemark.Verification;

/// <summary>
/// Counts of a run in addition to its history: where reads went, where they could have gone, and which invariants were broken.
/// </summary>
internal sealed class SimulationCounts
{
    private const int MaxBroken = 20;
    private const double LeastOffloadAfterHealing = 0.9;

    // Behind a pooler or a name with two servers, no session stays on a replica without a position. Of two concurrent reads, the second
    // goes to the primary.
    private const double LeastOffloadUnproven = 0.75;

    private readonly List<(Task Run, SimulatedClient Client)> _clients = [];
    private readonly List<Task> _others = [];
    private readonly List<string> _broken = [];

    public long Operations { get; set; }

    public long Reads { get; set; }

    /// <summary>Number of session reads that a replica served.</summary>
    public long OnReplicas { get; set; }

    /// <summary>Number of session reads that some replica could have served, given the true positions at the time of the read.</summary>
    public long CouldBeOnReplicas { get; set; }

    /// <summary>Number of session reads that a replica served in the quiet time after everything was healed.</summary>
    public long QuietOnReplicas { get; set; }

    public long QuietCouldBeOnReplicas { get; set; }

    public long FailedReads { get; set; }

    public long FailedWrites { get; set; }

    public Dictionary<string, long> ReadsByNode { get; } = [];

    public IReadOnlyList<string> Broken => _broken;

    /// <summary>Counts a read of a session that any replica might have served.</summary>
    public void Count(bool onPrimary, bool couldBeOnReplica, bool isQuiet)
    {
        var (on, could) = (onPrimary ? 0 : 1, onPrimary && !couldBeOnReplica ? 0 : 1);
        OnReplicas += on;
        CouldBeOnReplicas += could;
        if (!isQuiet) return;
        QuietOnReplicas += on;
        QuietCouldBeOnReplicas += could;
    }

    public void Break(string invariant)
    {
        if (_broken.Count < MaxBroken) _broken.Add(invariant);
    }

    /// <summary>Adds a client, which must end.</summary>
    public void Follow(SimulatedClient client) => _clients.Add((client.RunAsync(), client));

    /// <summary>Adds a background task, which must not fail.</summary>
    public void Watch(Task task) => _others.Add(task);

    public void CheckEnd(SimulationOptions options, WorldShape shape)
    {
        foreach (var task in _clients.Select(c => c.Run).Concat(_others))
            if (task.IsFaulted) Break($"a task ended with {task.Exception!.InnerException}");
        foreach (var (run, client) in _clients)
            if (!run.IsCompleted) Break($"a client is waiting although everything is healed: {client.Doing}");

        var least = shape.IsPooled || shape.BalancesTwo ? LeastOffloadUnproven : LeastOffloadAfterHealing;
        if (options.Arm == RoutingArm.Tidemark && QuietCouldBeOnReplicas >= 20 && QuietOnReplicas < least * QuietCouldBeOnReplicas)
            Break($"after healing replicas served {QuietOnReplicas} of the {QuietCouldBeOnReplicas} reads that they could have served");
    }
}
