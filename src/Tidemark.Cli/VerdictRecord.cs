using Tidemark.Verification;

namespace Tidemark.Cli;

/// <summary>The verdict of the checker, as printed and as JSON.</summary>
internal sealed record VerdictRecord(
    long Operations, long Reads, long Violations, long LostWritesUnreported, int LostWrites, long VisibilityOrder,
        IReadOnlyDictionary<ViolationKind, long> ViolationsByKind, IReadOnlyList<Violation> Listed)
{
    private const int MaxPrinted = 10;

    public static VerdictRecord Of(HistoryVerdict verdict) => new(
        verdict.Operations, verdict.Reads, verdict.ViolationCount, verdict.SilentLoss, verdict.LostWrites.Length, verdict.VisibilityOrder,
        Enum.GetValues<ViolationKind>().Where(kind => verdict.Count(kind) > 0).ToDictionary(kind => kind, verdict.Count),
            verdict.Violations);

    public void Write(Terminal terminal)
    {
        Facts.Write(
            terminal, ("Operations", Words.Count(Operations)), ("Reads", Words.Count(Reads)), ("Violations", Words.Count(Violations)),
            ("Lost in failovers", $"{Words.Count(LostWrites)} writes"), ("Lost, unreported", Words.Count(LostWritesUnreported)),
                ("Visibility order", $"{Words.Count(VisibilityOrder)} reads"));
        if (Violations > 0) terminal.Line();
        foreach (var violation in Listed.Take(MaxPrinted)) terminal.Line($"{violation.Kind}: {violation.Text}");
        if (Violations > MaxPrinted) terminal.Line($"… and {Words.Count(Violations - MaxPrinted)} more.", Tone.Quiet);
        terminal.Line();
        if (Violations == 0) terminal.Line("Clean: no guarantee was violated.", Tone.Good);
        else terminal.Line(
            $"{Words.Count(Violations)} {(Violations == 1 ? "violation" : "violations")}: "
                + $"{string.Join(", ", ViolationsByKind.Select(kind => $"{kind.Key} {Words.Count(kind.Value)}"))}.", Tone.Bad);
    }
}
