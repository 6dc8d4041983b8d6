namespace Tidemark.Verification;

/// <summary>A token that one user passes to another, and what the giving user had received by then.</summary>
internal sealed record GivenToken(string Text, int From, long ExportedAt, TruePosition Position)
{
    /// <summary>Whether a loss was reported to the session.</summary>
    public bool IsReported { get; init; }
}
