namespace Tidemark.Verification;

/// <summary>The lag of the replicas of a simulated cluster.</summary>
public enum LagProfile
{
    /// <summary>Chosen at random for each world, together with every fault. This profile is used to search for violations.</summary>
    Mixed,

    /// <summary>Log-normal with a median of 10 ms and a sigma of 1.</summary>
    Healthy,

    /// <summary>
    /// The distribution published for Facebook's TAO (2013): below 1 s in 85 %, 3 s in 99 %, 10 s in 99.8 % of cases. Log-normal with a
    /// Pareto tail from 3 s.
    /// </summary>
    Tao,

    /// <summary>Every replica works off a backlog of 27 GB at 9 MB/s. The world begins at a random point of that work.</summary>
    Incident,

    /// <summary>One replica does not replay for 75 s. The others are healthy.</summary>
    Stalled,

    /// <summary>One replica is thirty times slower than the others for five minutes.</summary>
    Slow,

    /// <summary>The primary fails, and a replica that lacks its last commits is promoted.</summary>
    Failover,
}
