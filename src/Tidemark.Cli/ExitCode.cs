namespace Tidemark.Cli;

/// <summary>The exit code of a command.</summary>
internal enum ExitCode
{
    /// <summary>The command succeeded, without a finding.</summary>
    Success = 0,

    /// <summary>There is a finding, such as a violated guarantee or an injected fault that was not detected.</summary>
    Finding = 1,

    /// <summary>
    /// The usage was wrong, the request cannot be carried out, or the command was interrupted before it could rule out a finding.
    /// </summary>
    WrongUsage = 2,
}
