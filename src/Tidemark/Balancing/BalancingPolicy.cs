namespace Tidemark;

/// <summary>How a node is chosen among those that can serve a read.</summary>
public enum BalancingPolicy
{
    /// <summary>
    /// Picks two nodes at random by weight and uses the one with fewer reads in flight for its weight (Mitzenmacher 1996).
    /// </summary>
    PowerOfTwoChoices,

    /// <summary>Uses the nodes in turn, each as often as its weight specifies.</summary>
    RoundRobin,

    /// <summary>Picks a node at random by weight.</summary>
    Random,
}
