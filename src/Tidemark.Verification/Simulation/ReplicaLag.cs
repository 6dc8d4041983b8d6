namespace Tidemark.Verification;

/// <summary>Determines when a replica replays WAL that was flushed at a given time. Each replica of a world has one.</summary>
internal sealed class ReplicaLag
{
    private readonly Random _random;
    private readonly Func<double, double> _lagSeconds;

    private ReplicaLag(Random random, Func<double, double> lagSeconds) => (_random, _lagSeconds) = (random, lagSeconds);

    /// <summary>Creates the lag of one replica under a profile.</summary>
    public static ReplicaLag Of(LagProfile profile, int replica, Random random)
    {
        double Healthy() => Distribution.LogNormal(random, median: 0.010, sigma: 1);
        var backlog = 27_000.0 / 9 * random.NextDouble();
        return new ReplicaLag(random, profile switch
        {
            LagProfile.Tao => _ => Distribution.Tao(random),

            // The rest of the backlog, at the rate that is available for it.
            LagProfile.Incident => at => Math.Max(Healthy(), backlog - at),
            LagProfile.Stalled when replica == 0 => at => at is > 5 and < 80 ? 80 - at : Healthy(),
            LagProfile.Slow when replica == 0 => at => at is > 5 and < 305 ? 30 * Healthy() : Healthy(),
            LagProfile.Mixed => Mixed(replica, random),
            _ => _ => Healthy(),
        });
    }

    /// <summary>Returns the time at which WAL that is flushed now is replayed.</summary>
    public long ReplayedAt(long now) => now + (long)(_lagSeconds((double)now / TimeSpan.TicksPerSecond) * TimeSpan.TicksPerSecond);

    private static Func<double, double> Mixed(int replica, Random random)
    {
        // From a very small lag to a very large one, different for each replica.
        var median = 0.001 * Math.Pow(10, random.NextDouble() * 3);
        var sigma = random.NextDouble() * 1.5;
        return replica % 3 == 2 && random.NextDouble() < 0.2
            ? _ => Distribution.Tao(random) : _ => Distribution.LogNormal(random, median, sigma);
    }
}
