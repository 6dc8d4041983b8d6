namespace Tidemark.Verification;

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
        return replica % 3 == 2 && random.NextDouble() < 0.2
            ? _ => Distribution.Tao(random) : _ => Distribution.LogNormal(random, median, sigma);
    }
}
