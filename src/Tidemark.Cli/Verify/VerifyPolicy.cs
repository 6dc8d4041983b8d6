namespace Tidemark.Cli.Verify;

/// <summary>The policy that routes reads.</summary>
internal enum VerifyPolicy
{
    Tidemark,

    /// <summary>A random replica for each read.</summary>
    Random,

    /// <summary>The replicas in turn.</summary>
    RoundRobin,

    /// <summary>Always the primary.</summary>
    Primary,
}
