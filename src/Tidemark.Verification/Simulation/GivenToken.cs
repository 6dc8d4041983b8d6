namespace Tidemark.Verification;

/// <summary>A token on its way from one user to another, and what the one who gives it had received by then.</summary>
internal sealed record GivenToken(string Text, int From, long ExportedAt, TruePosition Position)
{
    /// <summary>The session was told of a loss.</summary>
    public bool IsReported { get; init; }
}
