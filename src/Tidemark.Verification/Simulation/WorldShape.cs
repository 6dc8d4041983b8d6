namespace Tidemark.Verification;

/// <summary>What a seed draws for its world: how many of everything, how slow, how faulty.</summary>
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
        TellsForks = !isMixed || random.NextDouble() < 0.5;
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

        // A chance of its own, so that worlds without these features stay as they were.
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
        if (HidesTimelines) TellsForks = false;

        // Close below a position whose text has one digit more, in a quarter of the worlds.
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
    /// How long the WAL writer may take to flush what did not wait for it: a bound of staleness counts asynchronous commits from then on.
    /// </summary>
    public TimeSpan FlushDelay => AsynchronousShare > 0 ? TimeSpan.FromSeconds(0.6) : TimeSpan.Zero;

    public TimeSpan ThinkTime { get; }

    /// <summary>Operations of a session before another user takes its place.</summary>
    public int SessionLength { get; }

    public TimeSpan ProbeInterval { get; }

    /// <summary>The library's role has REPLICATION, so that servers tell it where timelines were left.</summary>
    public bool TellsForks { get; }

    /// <summary>The mean time between two faults; <see langword="null"/>: there are none.</summary>
    public TimeSpan? FaultInterval { get; }

    /// <summary>
    /// The mean time between two records that are no commits and wait to be flushed; <see langword="null"/>: there are none.
    /// </summary>
    public TimeSpan? NoiseInterval { get; }

    /// <summary>Nodes and processes stand in zones, and the near ones are preferred.</summary>
    public bool HasZones { get; }

    /// <summary>Two of the replicas stand behind one name.</summary>
    public bool BalancesTwo { get; }

    /// <summary>A server of another cluster is configured among the nodes.</summary>
    public bool HasForeignNode { get; }

    /// <summary>The settings of processes name the cluster that they belong to.</summary>
    public bool NamesCluster { get; }

    /// <summary>Some writes are made in a transaction that is left open when their connection is closed.</summary>
    public bool HasScopes { get; }

    /// <summary>Some connections for reading are held while their session reads on.</summary>
    public bool HoldsReaders { get; }

    /// <summary>The library's role does not see which timeline a standby follows; the control file shows it late.</summary>
    public bool HidesTimelines { get; }

    /// <summary>
    /// A pooler stands before every server: a connection outlives the server's runs, and each transaction may run on another server of its
    /// name.
    /// </summary>
    public bool IsPooled { get; }

    /// <summary>Connections for reads to the primary may write, and the server does not report it.</summary>
    public bool HasWritableReads { get; }

    /// <summary>Some connections end between the acknowledgement of a write and its position.</summary>
    public bool LosesPositions { get; }

    /// <summary>Nothing crashes: servers are restarted as planned, and all else may fail.</summary>
    public bool IsPlanned { get; }

    /// <summary>The primary's storage may be rolled back while a replica has more.</summary>
    public bool RollsBackStorage { get; }

    /// <summary>The callers of a process may wait for a thread while its monitor goes on.</summary>
    public bool Starves { get; }

    /// <summary>How long clients work before everything is healed.</summary>
    public TimeSpan Duration { get; }

    public ulong Origin { get; }

    public TimeSpan TravelTime(Random random) => TimeSpan.FromSeconds(Distribution.LogNormal(random, _travelMedian, sigma: 0.5));

    public TimeSpan ProbeDelay(Random random) =>
        random.NextDouble() < _lateProbes ? TimeSpan.FromSeconds(0.3 * random.NextDouble()) : TravelTime(random);

    /// <summary>Draws the settings of a process.</summary>
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
        options.TokenKey = "the key of a simulation, which keeps no secret";
        options.TokenLifetime = TimeSpan.FromMinutes(10);
    }

    public override string ToString() => string.Create(
        System.Globalization.CultureInfo.InvariantCulture,
        $"{Replicas} replicas, {Applications} x {ClientsPerApplication} clients, {Keys} keys, {WriteShare:P0} writes ({AsynchronousShare:P0} asynchronous), " +
        $"probes each {ProbeInterval.TotalMilliseconds:0} ms, {(TellsForks ? "forks told" : "forks not told")}, " +
        $"{(HasZones ? "zones, " : "")}{(BalancesTwo ? "two replicas behind one name, " : "")}{(HasForeignNode ? "a foreign node, " : "")}"
            +
        $"{(HasForeignNode && NamesCluster ? "the cluster named, " : "")}{(HasScopes ? "open transactions, " : "")}{(HoldsReaders ? "held readers, " : "")}" +
        $"{(HidesTimelines ? "hidden timelines, " : "")}{(IsPooled ? "a pooler, " : "")}{(HasWritableReads ? "writable reads, " : "")}" +
        $"{(LosesPositions ? "lost positions, " : "")}{(RollsBackStorage ? "a storage that is rolled back, " : "")}{(Starves ? "starved processes, " : "")}" +
        $"{(IsPlanned ? "only planned restarts, " : "")}" +
        $"{(FaultInterval is { } f ? $"a fault each {f.TotalMilliseconds:0} ms" : "no faults")}, {Duration.TotalSeconds:0.0} s");
}
