namespace Tidemark;

/// <summary>
/// Reports something that a session wrote or read and that the cluster's history no longer contains, such as an acknowledged write that was
/// lost in a failover or crash. The session's reads return the current data.
/// </summary>
/// <param name="Position">The lost WAL position, or <see langword="null"/> if it was not known.</param>
/// <param name="IsCertain">
/// <see langword="true"/> if the history is known not to contain the position; <see langword="false"/> if the point at which the history
/// was left is not known precisely enough.
/// </param>
/// <param name="WasWritten"><see langword="true"/> if the session wrote it; <see langword="false"/> if the session read it.</param>
/// <param name="Reason">A description of where the history diverged from the position.</param>
public sealed record LostWrite(WalPosition? Position, bool IsCertain, bool WasWritten, string Reason)
{
    /// <summary>Returns what was lost and why, in one sentence.</summary>
    public override string ToString()
    {
        var extent = Position is { } position ? $" up to position {position}" : "";
        return $"What this session {(WasWritten ? "wrote" : "read")}{extent} {(IsCertain ? "was lost" : "may have been lost")}: {Reason}.";
    }

    /// <summary>Returns the loss to report: a certain loss takes precedence over a possible one, and the first over an equal one.</summary>
    internal static LostWrite? Worse(LostWrite? one, LostWrite? other) =>
        one is null || (other is { IsCertain: true } && !one.IsCertain) ? other ?? one : one;

    internal static LostWrite Of(WalPosition position, bool isCertain, bool wasWritten, string reason) =>
        new(position, isCertain, wasWritten, reason);

    internal static LostWrite OfUnknownPosition(uint from, uint to) => new(null, IsCertain: false, WasWritten: true, Between(from, to));

    internal static LostWrite OfUnknownObservation(uint from, uint to) => new(null, IsCertain: false, WasWritten: false, Between(from, to));

    internal static LostWrite OfCrash(bool wasWritten) =>
        new(null, IsCertain: false, wasWritten, "the primary may have crashed before the position was known");

    internal static LostWrite OfDivergedReplica(string node) =>
        new(null, IsCertain: false, WasWritten: false,
            $"replica '{node}', which returned it, has replayed WAL that the primary does not have");

    private static string Between(uint from, uint to) =>
        $"the history continued from timeline {from} to {to} before the position was known";
}
