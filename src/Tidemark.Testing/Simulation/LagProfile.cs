namespace Tidemark.Testing;

/// <summary>How far behind the replicas of a simulated cluster run.</summary>
public enum LagProfile
{
    /// <summary>Drawn for each world, together with every fault: the profile that looks for violations.</summary>
    Mixed,

    /// <summary>Log-normal with a median of 10 ms and a sigma of 1.</summary>
    Healthy,

    /// <summary>
    /// The distribution published for Facebook's TAO (2013): below 1 s in 85 %, 3 s in 99 %, 10 s in 99.8 % of cases. Log-normal with a Pareto tail from 3 s.
    /// </summary>
    Tao,

    /// <summary>Every replica works off a backlog of 27 GB at 9 MB/s; the world begins somewhere on the way.</summary>
    Incident,

    /// <summary>One replica does not replay for 75 s; the others are healthy.</summary>
    Stalled,

    /// <summary>One replica is thirty times slower than the others for five minutes.</summary>
    Slow,

    /// <summary>The primary dies, and a replica that lacks its last commits is promoted.</summary>
    Failover,
}

/// <summary>When a replica replays what was flushed at a moment. One for each replica of a world.</summary>
internal sealed class ReplicaLag
{
    private readonly Random _random;
    private readonly Func<double, double> _lagSeconds;

    private ReplicaLag(Random random, Func<double, double> lagSeconds) => (_random, _lagSeconds) = (random, lagSeconds);

    /// <summary>The lag of one replica under a profile.</summary>
    public static ReplicaLag Of(LagProfile profile, int replica, Random random)
    {
        double Healthy() => Distribution.LogNormal(random, median: 0.010, sigma: 1);
        var backlog = 27_000.0 / 9 * random.NextDouble();
        return new ReplicaLag(random, profile switch
        {
            LagProfile.Tao => _ => Distribution.Tao(random),

            // What is left of the backlog, at the rate that is left over for it.
            LagProfile.Incident => at => Math.Max(Healthy(), backlog - at),
            LagProfile.Stalled when replica == 0 => at => at is > 5 and < 80 ? 80 - at : Healthy(),
            LagProfile.Slow when replica == 0 => at => at is > 5 and < 305 ? 30 * Healthy() : Healthy(),
            LagProfile.Mixed => Mixed(replica, random),
            _ => _ => Healthy(),
        });
    }

    /// <summary>When something flushed now is replayed.</summary>
    public long ReplayedAt(long now) => now + (long)(_lagSeconds((double)now / TimeSpan.TicksPerSecond) * TimeSpan.TicksPerSecond);

    private static Func<double, double> Mixed(int replica, Random random)
    {
        // From hardly behind to hopelessly behind, each replica in its own way.
        var median = 0.001 * Math.Pow(10, random.NextDouble() * 3);
        var sigma = random.NextDouble() * 1.5;
        return replica % 3 == 2 && random.NextDouble() < 0.2 ? _ => Distribution.Tao(random) : _ => Distribution.LogNormal(random, median, sigma);
    }
}

/// <summary>Random delays with the shapes that networks and replicas have.</summary>
internal static class Distribution
{
    public static double LogNormal(Random random, double median, double sigma) => median * Math.Exp(sigma * Normal(random));

    public static double Exponential(Random random, double mean) => -mean * Math.Log(1 - random.NextDouble());

    /// <summary>Seconds; see <see cref="LagProfile.Tao"/>.</summary>
    public static double Tao(Random random)
    {
        const double TailFrom = 3;
        const double Alpha = 1.34;
        var body = LogNormal(random, Math.Exp(-0.883), sigma: 0.852);
        return body < TailFrom ? body : TailFrom * Math.Pow(1 - random.NextDouble(), -1 / Alpha);
    }

    // Box and Muller 1958.
    private static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
