namespace Tidemark.Verification;

/// <summary>The parameters of a world that are drawn from its seed: numbers of objects, delays and fault rates.</summary>
internal sealed class WorldShape
{
    private readonly double _travelMedian;
    private readonly double _lateProbes;

    public WorldShape(SimulationOptions options, Random random)
    {
        var isMixed = options.Profile == LagProfile.Mixed;
        Profile = options.Profile;
        Replicas = isMixed ? random.Next(1, 5) : 3;
        Applications = isMixed ? random.Next(1, 4) : 2;
        ClientsPerApplication = isMixed ? random.Next(2, 6) : 50;
        Keys = isMixed ? random.Next(2, 9) : 50;
        WriteShare = isMixed ? 0.05 + (0.4 * random.NextDouble()) : 0.1;
        ThinkTime = TimeSpan.FromMilliseconds(isMixed ? 5 + (60 * random.NextDouble()) : 2000);
        SessionLength = isMixed ? random.Next(10, 60) : 30;
        _travelMedian = isMixed ? 0.0001 * Math.Pow(10, 1.5 * random.NextDouble()) : 0.0003;
        _lateProbes = isMixed ? 0.1 * random.NextDouble() : 0.01;
        ProbeInterval = TimeSpan.FromMilliseconds(isMixed ? 50 + (250 * random.NextDouble()) : 100);
        ReportsForks = !isMixed || random.NextDouble() < 0.5;
        FaultInterval = isMixed ? TimeSpan.FromMilliseconds(100 + (900 * random.NextDouble())) : null;
        Duration = TimeSpan.FromSeconds(Profile switch
        {
            LagProfile.Mixed => 2 + (3 * random.NextDouble()),
            LagProfile.Healthy => 10,
            LagProfile.Tao => 60,
            LagProfile.Slow => 320,
            LagProfile.Failover => 20,
            _ => 100,
        });
        AsynchronousShare = isMixed && random.NextDouble() < 0.5 ? 0.3 * random.NextDouble() : 0;
        NoiseInterval = isMixed && random.NextDouble() < 0.5 ? TimeSpan.FromMilliseconds(20 + (300 * random.NextDouble())) : null;

        BalancesTwo = isMixed && Replicas >= 3 && random.NextDouble() < 0.25;
        HasForeignNode = isMixed && Replicas >= 2 && random.NextDouble() < 0.15;
        HasZones = isMixed && random.NextDouble() < 0.3;

        // A separate random generator, so that worlds without these features remain unchanged.
        var more = new Random(unchecked((options.Seed * 7919) + 13));
        bool Has(double share) => more.NextDouble() < share && isMixed;
        NamesCluster = Has(0.5);
        HasScopes = Has(0.3);
        HoldsReaders = Has(0.3);
        HidesTimelines = Has(0.2);
        IsPooled = Has(0.15);
        HasWritableReads = Has(0.15);
        LosesPositions = Has(0.3);
        IsPlanned = Has(0.1);
        RollsBackStorage = Has(0.1) && !IsPlanned && !BalancesTwo && Replicas >= 2;
        Starves = Has(0.2);
        if (HidesTimelines) ReportsForks = false;

        // In a quarter of the worlds, shortly before a position whose text has one more digit.
        Origin = random.Next(4) == 0 ? 0x1_0000_0000UL - (ulong)random.Next(8192, 65536) : 0x0300_0000UL
            + ((ulong)random.Next(1 << 20) * 8);
    }

    public LagProfile Profile { get; }

    public int Replicas { get; }

    public int Applications { get; }

    public int ClientsPerApplication { get; }

    public int Keys { get; }

    public double WriteShare { get; }

    public double AsynchronousShare { get; }

    /// <summary>
    /// Maximum delay of the WAL writer for commits that did not wait for their flush. A staleness bound counts asynchronous commits from
    /// then on.
    /// </summary>
    public TimeSpan FlushDelay => AsynchronousShare > 0 ? TimeSpan.FromSeconds(0.6) : TimeSpan.Zero;

    public TimeSpan ThinkTime { get; }

    /// <summary>Number of operations of a session before the next user starts.</summary>
    public int SessionLength { get; }

    public TimeSpan ProbeInterval { get; }

    /// <summary>Whether the library's role has REPLICATION, so that servers report where timelines were left.</summary>
    public bool ReportsForks { get; }

    /// <summary>Mean time between two faults, or <see langword="null"/> if there are none.</summary>
    public TimeSpan? FaultInterval { get; }

    /// <summary>
    /// Mean time between two records that are not commits and wait to be flushed, or <see langword="null"/> if there are none.
    /// </summary>
    public TimeSpan? NoiseInterval { get; }

    /// <summary>Whether nodes and processes are in zones, and nodes in the same zone are preferred.</summary>
    public bool HasZones { get; }

    /// <summary>Whether two of the replicas share one name.</summary>
    public bool BalancesTwo { get; }

    /// <summary>Whether a server of another cluster is configured among the nodes.</summary>
    public bool HasForeignNode { get; }

    /// <summary>Whether the settings of processes name their cluster.</summary>
    public bool NamesCluster { get; }

    /// <summary>Whether some writes are made in a transaction that is left open when their connection is closed.</summary>
    public bool HasScopes { get; }

    /// <summary>Whether some connections for reads are held while their session continues to read.</summary>
    public bool HoldsReaders { get; }

    /// <summary>Whether the library's role cannot see which timeline a standby follows. The control file shows it late.</summary>
    public bool HidesTimelines { get; }

    /// <summary>
    /// Whether each server is behind a pooler. A connection then outlives epochs, and each transaction may run on another server with the
    /// same node name.
    /// </summary>
    public bool IsPooled { get; }

    /// <summary>Whether connections for reads to the primary may write, and the server does not report it.</summary>
    public bool HasWritableReads { get; }

    /// <summary>Whether some connections end between the acknowledgement of a write and its position.</summary>
    public bool LosesPositions { get; }

    /// <summary>Whether servers do not crash. They are restarted as planned, and all other faults may occur.</summary>
    public bool IsPlanned { get; }

    /// <summary>Whether the primary's storage may be rolled back while a replica has more.</summary>
    public bool RollsBackStorage { get; }

    /// <summary>Whether the callers of a process may wait for a thread while its monitor continues.</summary>
    public bool Starves { get; }

    /// <summary>Time for which clients work before everything is healed.</summary>
    public TimeSpan Duration { get; }

    public ulong Origin { get; }

    public TimeSpan TravelTime(Random random) => TimeSpan.FromSeconds(Distribution.LogNormal(random, _travelMedian, sigma: 0.5));

    public TimeSpan ProbeDelay(Random random) =>
        random.NextDouble() < _lateProbes ? TimeSpan.FromSeconds(0.3 * random.NextDouble()) : TravelTime(random);

    /// <summary>Sets the options of a process.</summary>
    public void Configure(TidemarkOptions options, Random random)
    {
        if (HasZones)
        {
            options.Zone = "a";
            foreach (var node in options.Nodes.Values) node.Zone = random.Next(2) == 0 ? "a" : "b";
        }

        if (HasForeignNode && NamesCluster) options.SystemIdentifier = SimulatedCluster.SystemIdentifier;
        options.ProbeInterval = ProbeInterval;
        options.ProbeTimeout = TimeSpan.FromMilliseconds(750);
        options.TokenKey = "the key of a simulation, which protects no secret";
        options.TokenLifetime = TimeSpan.FromMinutes(10);
    }

    public override string ToString() => string.Create(
        System.Globalization.CultureInfo.InvariantCulture,
        $"{Replicas} replicas, {Applications} x {ClientsPerApplication} clients, {Keys} keys, " +
        $"{WriteShare:P0} writes ({AsynchronousShare:P0} asynchronous), " +
        $"probes each {ProbeInterval.TotalMilliseconds:0} ms, {(ReportsForks ? "forks reported" : "forks not reported")}, " +
        $"{(HasZones ? "zones, " : "")}{(BalancesTwo ? "two replicas behind one name, " : "")}{(HasForeignNode ? "a foreign node, " : "")}"
            +
        $"{(HasForeignNode && NamesCluster ? "the cluster named, " : "")}{(HasScopes ? "open transactions, " : "")}" +
        $"{(HoldsReaders ? "held readers, " : "")}" +
        $"{(HidesTimelines ? "hidden timelines, " : "")}{(IsPooled ? "a pooler, " : "")}{(HasWritableReads ? "writable reads, " : "")}" +
        $"{(LosesPositions ? "lost positions, " : "")}{(RollsBackStorage ? "a storage rollback, " : "")}" +
        $"{(Starves ? "starved processes, " : "")}" +
        $"{(IsPlanned ? "only planned restarts, " : "")}" +
        $"{(FaultInterval is { } f ? $"a fault each {f.TotalMilliseconds:0} ms" : "no faults")}, {Duration.TotalSeconds:0.0} s");
}
