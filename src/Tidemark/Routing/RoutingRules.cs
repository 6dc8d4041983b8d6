namespace Tidemark;

/// <summary>The settings on which routing decisions depend, by node index.</summary>
internal sealed record RoutingRules(double[] Weights, bool[] IsNear, double PrimaryReadWeight)
{
    /// <summary>The seeds by which an affinity ranks the nodes; see <see cref="Rendezvous.Seed"/>.</summary>
    public ulong[] Seeds { get; init; } = [];

    /// <summary>The clock from which a decision calculates the staleness of its node.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
