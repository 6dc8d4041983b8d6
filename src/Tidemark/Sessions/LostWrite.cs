namespace Tidemark;

/// <summary>
/// Something a session wrote or saw, and that the cluster's history went on without: an acknowledged write lost in a failover or crash. Its
/// reads
/// are answered from the present.
/// </summary>
/// <param name="Position">The place that was lost; <see langword="null"/> when it was not known.</param>
/// <param name="IsCertain">History is known not to contain the place. False: where it was left is known too roughly to tell.</param>
/// <param name="WasWritten">The session wrote it. False: it read it.</param>
/// <param name="Reason">Where history left the place behind, in words.</param>
public sealed record LostWrite(WalPosition? Position, bool IsCertain, bool WasWritten, string Reason)
{
    /// <summary>What was lost and why, in one sentence.</summary>
    public override string ToString() =>
        $"What this session {(WasWritten ? "wrote" : "read")}{(Position is { } p ? $" up to position {p}" : "")} {(IsCertain ? "was lost" : "may have been lost")}: {Reason}.";

    /// <summary>The one to tell of two: a certain loss before one that may be, and the first of equals.</summary>
    internal static LostWrite? Worse(LostWrite? one, LostWrite? other) =>
        one is null || (other is { IsCertain: true } && !one.IsCertain) ? other ?? one : one;

    internal static LostWrite Of(WalPosition position, bool isCertain, bool wasWritten, string reason) =>
        new(position, isCertain, wasWritten, reason);

    internal static LostWrite OfUnknownPosition(uint from, uint to) => new(null, IsCertain: false, WasWritten: true, Between(from, to));

    internal static LostWrite OfUnknownObservation(uint from, uint to) => new(null, IsCertain: false, WasWritten: false, Between(from, to));

    internal static LostWrite OfCrash(bool wasWritten) =>
        new(null, IsCertain: false, wasWritten, "the primary may have crashed before its position was learned");

    internal static LostWrite OfDivergedReplica(string node) =>
        new(null, IsCertain: false, WasWritten: false,
            $"replica '{node}', which showed it, has replayed WAL that the primary does not have");

    private static string Between(uint from, uint to) =>
        $"history went on from timeline {from} to {to} before its position was learned";
}
