namespace Tidemark.Verification;

/// <summary>Who decides where reads go in a simulation: Tidemark, or one of the ways in use elsewhere, to compare with.</summary>
public enum RoutingArm
{
    /// <summary>The library under test.</summary>
    Tidemark,

    /// <summary>Every read goes to the primary.</summary>
    AlwaysPrimary,

    /// <summary>Every read goes to any replica that is up.</summary>
    RandomReplica,

    /// <summary>Every read goes to the next replica that is up.</summary>
    RoundRobin,

    /// <summary>Reads of a session go to the primary for 2 s after its last write.</summary>
    Timer2,

    /// <summary>The same for 5 s.</summary>
    Timer5,

    /// <summary>The same for 30 s.</summary>
    Timer30,

    /// <summary>Reads of a session go to the primary until every replica has its last write.</summary>
    AllCaughtUp,
}
