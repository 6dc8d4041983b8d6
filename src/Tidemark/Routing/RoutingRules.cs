namespace Tidemark;

/// <summary>The settings a routing decision depends on, by node index.</summary>
internal sealed record RoutingRules(double[] Weights, bool[] IsNear, double PrimaryReadWeight)
{
    /// <summary>What an affinity ranks the nodes by; see <see cref="Rendezvous.Seed"/>.</summary>
    public ulong[] Seeds { get; init; } = [];

    /// <summary>The clock by which a decision tells how old what was served may be.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
