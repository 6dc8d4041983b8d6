namespace Tidemark.Cli.Doctor;

/// <summary>The nodes that a check applies to.</summary>
internal enum Of
{
    All,
    Primary,
    Replicas,
}
