namespace Tidemark;

/// <summary>How a read chooses among the nodes that may serve it.</summary>
public enum BalancingPolicy
{
    /// <summary>Of two nodes drawn by weight, the one with fewer reads in flight (Mitzenmacher 1996).</summary>
    PowerOfTwoChoices,

    /// <summary>In turn, each as often as its weight says.</summary>
    RoundRobin,

    /// <summary>Drawn by weight.</summary>
    Random,
}
