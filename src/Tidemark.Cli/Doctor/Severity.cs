namespace Tidemark.Cli.Doctor;

/// <summary>The severity of a finding.</summary>
internal enum Severity
{
    /// <summary>A function is broken, or a guarantee does not hold.</summary>
    Error,

    /// <summary>Everything works, but the next incident will be worse.</summary>
    Warning,

    /// <summary>For information. It may be intended.</summary>
    Notice,
}
