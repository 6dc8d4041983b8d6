namespace Tidemark.Cli.Doctor;

/// <summary>The nodes that a check looks at.</summary>
internal enum Of
{
    All,
    Primary,
    Replicas,
}
