namespace Tidemark.Cli;

/// <summary>What a command returns to the shell.</summary>
internal enum ExitCode
{
    /// <summary>Done, and nothing found.</summary>
    Success = 0,

    /// <summary>Something was found: a broken promise, a planted fault that nothing caught.</summary>
    Finding = 1,

    /// <summary>
    /// The command was used wrongly, what was asked for cannot be done, or it was stopped before it could say that there is no finding.
    /// </summary>
    WrongUsage = 2,
}
