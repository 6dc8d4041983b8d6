namespace Tidemark.Verification;

/// <summary>The component that routes reads in a simulation: Tidemark, or another common method to compare it with.</summary>
public enum RoutingArm
{
    /// <summary>The library under test.</summary>
    Tidemark,

    /// <summary>Every read goes to the primary.</summary>
    AlwaysPrimary,

    /// <summary>Every read goes to a random replica that is up.</summary>
    RandomReplica,

    /// <summary>Every read goes to the next replica that is up.</summary>
    RoundRobin,

    /// <summary>Reads of a session go to the primary for 2 s after its last write.</summary>
    Timer2,

    /// <summary>Reads of a session go to the primary for 5 s after its last write.</summary>
    Timer5,

    /// <summary>Reads of a session go to the primary for 30 s after its last write.</summary>
    Timer30,

    /// <summary>Reads of a session go to the primary until every replica has its last write.</summary>
    AllCaughtUp,
}
