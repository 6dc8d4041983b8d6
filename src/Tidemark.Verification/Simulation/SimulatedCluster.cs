using Tidemark.Testing;
using System.Globalization;
using NpgsqlTypes;

namespace Tidemark.Verification;

/// <summary>
/// A world of simulated servers and applications that run the real library under virtual time. It has one thread and one seed, so every run
/// of a seed is the same. <see cref="Run(SimulationOptions)"/> lets clients work while all kinds of faults occur, heals the world, and
/// checks the history.
/// </summary>
public sealed class SimulatedCluster
{
    internal const ulong SystemIdentifier = 7_000_000_000_000_000_001;
    internal const ulong ForeignIdentifier = 7_000_000_000_000_000_002;

    // Number of moments of the history in one tick of virtual time, so that what ends in a tick precedes what begins in it.
    private const long MomentsPerTick = 1024;
    // The longest think time as a multiple of the mean, with an exponential distribution. One think time in five hundred million is longer.
    private const double LongestThought = 20;
    private static readonly TimeSpan SettlingTime = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan QuietTime = TimeSpan.FromSeconds(1);

    private readonly List<SimulatedApplication> _all = [];
    private readonly TraceHash _hash = new();
    private readonly TextWriter? _trace;
    private readonly ReplicaLag[] _lags;
    private long _moments;
    private long _values;
    private long _transactions;
    private long _cookies;
    private readonly int _thread = Environment.CurrentManagedThreadId;
    private long _primaryDisturbedAt;
    private DateTimeOffset _begun;
    private readonly HashSet<long> _committed = [];
    private uint _branches = 1;
    private uint _timelines = 1;

    private SimulatedCluster(SimulationOptions options)
    {
        Options = options;
        _trace = options.Trace;
        Random = new Random(options.Seed);
        Shape = new WorldShape(options, Random);
        Servers = [.. Enumerable.Range(0, Shape.Replicas + 1).Select(i => new SimulatedServer(i, $"pg-{i + 1}", Shape.Keys))];
        _lags = [.. Servers.Select(s => ReplicaLag.Of(options.Profile, s.Index - 1, Random))];
        History = new HistoryBuilder(TimeSpan.TicksPerSecond * MomentsPerTick);
        foreach (var server in Servers) History.AddNode(server.Name);

        var branch = new WalBranch(1, 1, null, 0, 0, 0, Shape.Keys);
        foreach (var server in Servers)
        {
            server.StartedAt = Time.GetUtcNow() + TimeSpan.FromSeconds(server.Index - 1000);

            // Standbys that were copied from one template share its statistics reset time.
            server.StatisticsResetAt = Time.GetUtcNow() - TimeSpan.FromSeconds(2000);
            if (server.Index == 0) server.BecomePrimary(branch, Shape.Origin);
            else server.BecomeStandby(branch, Shape.Origin, Now);
            server.IsStreaming = server.Index > 0;
        }

        Nodes = NodesOf(branch);
    }

    internal SimulationOptions Options { get; }

    internal VirtualTime Time { get; } = new();

    internal Random Random { get; }

    internal WorldShape Shape { get; }

    internal IReadOnlyList<SimulatedServer> Servers { get; }

    /// <summary>The nodes that applications connect to.</summary>
    internal IReadOnlyList<SimulatedNode> Nodes { get; }

    internal List<SimulatedApplication> Applications { get; } = [];

    internal HistoryBuilder History { get; }

    internal SimulationCounts Counts { get; } = new();

    internal TokenMailbox Tokens { get; } = new();

    internal PlantedFault Fault => Options.Fault;

    internal long Now => Time.GetTimestamp();

    /// <summary>Whether clients must stop. Everything is healed, and only reads continue.</summary>
    internal bool IsQuiet { get; private set; }

    /// <summary>Whether applications have had the time to detect that all nodes are healthy again.</summary>
    internal bool IsSettled { get; private set; }

    internal bool IsOver { get; private set; }

    /// <summary>
    /// The server that really takes writes, independent of what any process assumes, or <see langword="null"/> while it is down or
    /// disconnected.
    /// </summary>
    internal SimulatedServer? Primary => Servers.FirstOrDefault(s => s.IsPrimary && s.Serves && s.Branch == Current);

    /// <summary>The branch on which history continues.</summary>
    internal WalBranch Current { get; private set; } = null!;

    /// <summary>Whether a promotion or a crash of the primary has happened.</summary>
    internal bool HasForked => _branches > 1;

    internal bool Traces => _trace is not null;

    /// <summary>Runs a world from its seed to its end.</summary>
    /// <param name="options">The seed, and the parameters of the world.</param>
    public static SimulationRun Run(SimulationOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var world = new SimulatedCluster(options);
        return world.Run();
    }

    internal bool Has(PlantedFault fault) => Options.Fault == fault;

    internal bool Chance(double probability) => Random.NextDouble() < probability;

    /// <summary>Returns a moment of the history that is later than all previous ones.</summary>
    internal long Moment() => _moments = Math.Max(_moments + 1, MomentAt(Now));

    /// <summary>Returns the first moment of a tick of virtual time.</summary>
    internal static long MomentAt(long tick) => tick * MomentsPerTick;

    internal long NextValue() => ++_values;

    /// <summary>Returns the name of a new transaction.</summary>
    internal string NextTransaction() => (++_transactions).ToString(CultureInfo.InvariantCulture);

    /// <summary>Returns the name of a new cookie. Names have no order.</summary>
    internal string NextCookie() => unchecked((uint)++_cookies * 2_654_435_761).ToString("x8", CultureInfo.InvariantCulture);

    /// <summary>Records that a statement commits a value. A second commit of a value means that the statement ran twice.</summary>
    internal long Committed(long value)
    {
        if (_committed.Add(value)) return value;
        Counts.Break($"the write of {value} was executed twice");
        return NextValue();
    }

    /// <summary>Records that the primary was affected by something that applications cannot detect immediately.</summary>
    internal void DisturbPrimary() => _primaryDisturbedAt = Now;

    /// <summary>Whether there is a primary that applications can reach and that has not been disturbed for a given time.</summary>
    internal bool PrimaryIsWellSince(TimeSpan time) => Primary is not null && Now - _primaryDisturbedAt >= time.Ticks;

    /// <summary>Completes after a time, exact to the tick. Task.Delay would drop fractions of a millisecond.</summary>
    internal Task PassAsync(TimeSpan time)
    {
        if (Environment.CurrentManagedThreadId != _thread)
            throw new InvalidOperationException("A simulated world must run on a single thread, but this is a different one.");
        var done = new TaskCompletionSource();
        Time.CreateTimer(static state => ((TaskCompletionSource)state!).SetResult(), done, time, Timeout.InfiniteTimeSpan);
        return done.Task;
    }

    internal void Trace(string line)
    {
        _trace?.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{(double)Now / TimeSpan.TicksPerSecond,9:0.0000}  {line}"));
    }

    internal void Mix(long value) => _hash.Add(value);

    internal NpgsqlLogSequenceNumber Lsn(ulong position)
    {
        if (!Has(PlantedFault.PositionsComparedAsText)) return new NpgsqlLogSequenceNumber(position);

        // Hexadecimal digits from the left, as in a text comparison.
        var (high, low) = (position >> 32, position & uint.MaxValue);
        var digits = Math.Max(1, low.ToString("X", CultureInfo.InvariantCulture).Length);
        return new NpgsqlLogSequenceNumber((high << 40) | (low << (4 * (8 - digits)) << 4) | (uint)digits);
    }

    /// <summary>The insert position that the primary reports, as a library with a planted fault reads it.</summary>
    internal ulong InsertOf(SimulatedServer server) => Fault switch
    {
        // After the header, so that it is not adjusted earlier.
        PlantedFault.PageHeaderNotNormalised when server.Insert != server.Written => server.Insert + 1,
        PlantedFault.SegmentHeaderAnywhere when server.Insert % 8192 == 40 => server.Insert - 40,
        _ => server.Insert,
    };

    /// <summary>Returns the start time of a server. No two servers start in the same microsecond.</summary>
    internal DateTimeOffset Begin()
    {
        var now = Time.GetUtcNow();
        return _begun = now > _begun ? now : _begun + TimeSpan.FromTicks(TimeSpan.TicksPerMicrosecond);
    }

    /// <summary>The epoch that the server reports, as a library with a planted fault reads it.</summary>
    internal ServerEpoch EpochOf(SimulatedServer server) => Fault switch
    {
        PlantedFault.EpochByStartTime => new(server.StartedAt, default),
        PlantedFault.RestartTakenForCrash => new(server.StartedAt, server.StartedAt),
        PlantedFault.CrashBehindPoolerMissed when Shape.IsPooled =>
            new(DateTimeOffset.UnixEpoch.AddDays(server.Index + 1), DateTimeOffset.UnixEpoch),
        PlantedFault.BalancedEpochNotChecked when NodeOf(server) is { IsBalanced: true } node =>
            new(node.Servers[0].StartedAt, node.Servers[0].StatisticsResetAt),
        _ => new(server.StartedAt, server.StatisticsResetAt),
    };

    internal uint TimelineOf(SimulatedServer server) => Has(PlantedFault.PositionsWithoutTimeline) ? 1 : server.Branch.Timeline;

    internal IReadOnlyList<Fork> ForksOf(WalBranch branch)
    {
        var forks = new List<Fork>();
        if (Has(PlantedFault.PositionsWithoutTimeline)) return forks;
        for (var b = branch; b.Parent is { } parent; b = parent)
            if (parent.Timeline != b.Timeline) forks.Insert(0, new Fork(parent.Timeline, b.Timeline, Lsn(b.ForkAt), Lsn(b.ForkAt)));
        return forks;
    }

    /// <summary>Sends what was flushed to every connected standby.</summary>
    internal void Flush(SimulatedServer primary, ulong position)
    {
        if (position <= primary.Flushed) return;
        primary.FlushTo(position);
        foreach (var standby in Servers)
        {
            if (standby.IsPrimary || !standby.IsStreaming || !standby.IsUp || standby.Branch != primary.Branch) continue;
            var arrives = Now + Shape.TravelTime(Random).Ticks;
            standby.Replay.Add(position, arrives, _lags[standby.Index].ReplayedAt(arrives));
        }
    }

    /// <summary>
    /// Forks history from a branch to a new one: on a new timeline after a promotion, on the same timeline after a crash.
    /// </summary>
    internal WalBranch Fork(WalBranch parent, ulong at, bool isPromotion, long leftAt)
    {
        var branch =
            new WalBranch(++_branches, isPromotion ? _timelines = Math.Max(_timelines, parent.Timeline)
            + 1 : parent.Timeline, parent, at, leftAt, Now, Shape.Keys);
        History.Fork(parent.Id, branch.Id, (long)at, Moment());
        Current = branch;
        DisturbPrimary();
        return branch;
    }

    /// <summary>Connects a standby to the primary, which sends what the standby lacks.</summary>
    internal void Follow(SimulatedServer standby, SimulatedServer primary)
    {
        if (!primary.Branch.Contains(standby.Branch, standby.Replay.ReceivedAt(Now)))
            throw new InvalidOperationException($"{standby.Name} has diverged from {primary.Name} and cannot follow it.");

        standby.Branch = primary.Branch;
        standby.IsStreaming = true;
        var arrives = Now + Shape.TravelTime(Random).Ticks;
        standby.Replay.Add(primary.Flushed, arrives, arrives + TimeSpan.FromMilliseconds(Random.Next(1, 50)).Ticks);
    }

    /// <summary>
    /// Creates a node for each server. Two replicas may share one name, and a server of another cluster may be configured by mistake.
    /// </summary>
    private List<SimulatedNode> NodesOf(WalBranch branch)
    {
        var nodes = new List<SimulatedNode>();
        var balanced = Shape.BalancesTwo ? Servers.TakeLast(2).ToArray() : [];
        foreach (var server in Servers.Except(balanced)) nodes.Add(new SimulatedNode(nodes.Count, server.Name, [server]));
        if (balanced.Length > 0) nodes.Add(new SimulatedNode(nodes.Count, "replicas", balanced));
        if (!Shape.HasForeignNode) return nodes;

        var foreign = new SimulatedServer(Servers.Count, "foreign", Shape.Keys) { StartedAt = Time.GetUtcNow() };
        if (Random.Next(2) == 0) foreign.BecomePrimary(branch, Shape.Origin * 2);
        else foreign.BecomeStandby(branch, Shape.Origin * 2, Now);
        nodes.Add(new SimulatedNode(nodes.Count, foreign.Name, [foreign], IsForeign: true));
        return nodes;
    }

    /// <summary>Returns the node that leads to a server.</summary>
    internal SimulatedNode NodeOf(SimulatedServer server) => Nodes.First(n => n.Servers.Contains(server));

    private SimulationRun Run()
    {
        Current = Servers[0].Branch;
        Trace($"seed {Options.Seed}: {Shape}");
        for (var i = 0; i < Shape.Applications; i++) _ = StartApplication(i);
        var weather = new Weather(this);
        weather.Begin();

        Advance(Shape.Duration.Ticks);
        weather.Heal();
        IsQuiet = true;
        Trace("everything is healed, and clients stop writing");
        Advance(Now + SettlingTime.Ticks);
        foreach (var server in Servers) server.Replay.HurryTo(Now);
        Advance(Now + Shape.ProbeInterval.Ticks * 2);
        IsSettled = true;
        Advance(Now + QuietTime.Ticks);
        IsOver = true;
        Advance(Now + (long)(Shape.ThinkTime.Ticks * LongestThought) + TimeSpan.FromSeconds(4).Ticks);
        return End();
    }

    /// <summary>Starts a process. Its clients are new users.</summary>
    internal SimulatedApplication StartApplication(int index)
    {
        var application = new SimulatedApplication(this, $"app-{index + 1}");
        if (index < Applications.Count) Applications[index] = application;
        else Applications.Add(application);
        _all.Add(application);
        for (var i = 0; i < Shape.ClientsPerApplication; i++) Counts.Follow(new SimulatedClient(this, application));
        return application;
    }

    private void Advance(long until)
    {
        while (Time.UntilNextTimer is { } next && Now + next.Ticks <= until) Time.Advance(next);
        if (Now < until) Time.Advance(TimeSpan.FromTicks(until - Now));
    }

    private SimulationRun End()
    {
        foreach (var application in _all)
        {
            if (!application.IsOver && application.OpenLeases != 0)
                Counts.Break($"{application.Name} holds {application.OpenLeases} leases although no operation is in progress");
            application.Kill();
        }

        Counts.CheckEnd(Options, Shape);
        Advance(Now + TimeSpan.FromSeconds(2).Ticks);
        foreach (var application in _all) application.Dispose();
        var history = History.Build();
        return new SimulationRun(Options, Shape.ToString(), history, HistoryChecker.Check(history), _hash.ToString(), Counts);
    }
}
