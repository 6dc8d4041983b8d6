namespace Tidemark.Cli.Doctor;

/// <summary>How much a finding matters.</summary>
internal enum Severity
{
    /// <summary>Something is broken, or a promise does not hold.</summary>
    Error,

    /// <summary>It works today; the next incident makes it worse.</summary>
    Warning,

    /// <summary>Worth knowing; may well be meant so.</summary>
    Notice,
}
