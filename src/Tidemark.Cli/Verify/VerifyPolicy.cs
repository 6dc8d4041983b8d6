namespace Tidemark.Cli.Verify;

/// <summary>Who decides where reads go.</summary>
internal enum VerifyPolicy
{
    Tidemark,

    /// <summary>A replica drawn by chance for each read.</summary>
    Random,

    /// <summary>The replicas in turn.</summary>
    RoundRobin,

    /// <summary>Always the primary.</summary>
    Primary,
}
