using System.Globalization;

namespace Tidemark.Verification;

/// <summary>The page from its head to its end.</summary>
internal sealed class ReportPage(History history, HistoryVerdict verdict, HistoryPageOptions options, HtmlText html)
{
    /// <inheritdoc cref="HistoryPage.MaxPictures"/>
    public const int MaxPictures = 12;

    private readonly ReportClock _clock = new(history);

    public void Write()
    {
        html.Line($"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
            + $"content=\"width=device-width, initial-scale=1\">");
        html.Line($"<title>{options.Title}</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>");
        html.Raw(ReportStyle.Css);
        html.Line($"</style>\n</head>\n<body>\n<main>\n<h1>{options.Title}</h1>");
        WriteVerdict();
        WriteFacts();
        WriteOverview();
        WriteViolations();
        html.Line($"</main>\n</body>\n</html>");
    }

    private void WriteVerdict()
    {
        if (verdict.IsClean)
        {
            html.Line($"<p class=\"verdict good\"><b>Clean.</b> No guarantee was violated.</p>");
            return;
        }

        var kinds = Enum.GetValues<ViolationKind>().Where(kind => verdict.Count(kind) > 0)
            .Select(kind => $"{kind} {Number(verdict.Count(kind))}");
        var noun = verdict.ViolationCount == 1 ? "violation" : "violations";
        html.Line($"<p class=\"verdict broken\"><b>{Number(verdict.ViolationCount)} {noun}.</b> {string.Join(", ", kinds)}</p>");
    }

    private void WriteFacts()
    {
        html.Line($"<dl class=\"facts\">");
        Fact("Operations", Number(verdict.Operations));
        Fact("Reads", Number(verdict.Reads));
        Fact("Clients", Number(history.ClientCount));
        Fact("Nodes", Number(history.Columns.Nodes.Count));
        Fact("Lost in failovers", Number(verdict.LostWrites.Length));
        Fact("Visibility order", Number(verdict.VisibilityOrder));
        html.Line($"</dl>");
        if (options.Facts.IsEmpty) return;
        html.Line($"<table class=\"shape\">");
        foreach (var (name, value) in options.Facts) html.Line($"<tr><th>{name}</th><td>{value}</td></tr>");
        html.Line($"</table>");
    }

    private void Fact(string name, string value) => html.Line($"<div><dt>{name}</dt><dd>{value}</dd></div>");

    private void WriteOverview()
    {
        if (history.OperationCount == 0) return;
        html.Line($"<h2>Overview</h2>");
        html.Add($"<p class=\"legend\">");
        for (var node =
            0; node < history.Columns.Nodes.Count; node++) html.Add(
            $"<span><i class=\"chip n{(long)node % 8}\"></i>{history.Columns.Nodes[node]}</span>");
        html.Line($"<span><i class=\"chip plain as-primary\"></i>pale: served as the primary</span><span><i class=\"chip "
            + $"line\"></i>history forks</span></p>");
        var axis = new ReportAxis(history, _clock, html);
        new ReadsChart(history, _clock, axis, html).Write();
        new LagChart(history, _clock, axis, html).Write();
        new EventStrip(history, verdict, options, _clock, axis, html).Write();
    }

    private void WriteViolations()
    {
        if (verdict.Violations.IsEmpty) return;
        html.Line($"<h2>Violations</h2>");
        if (verdict.ViolationCount > verdict.Violations.Length)
            html.Line($"<p class=\"note\">The first {(long)verdict.Violations.Length} of {Number(verdict.ViolationCount)}.</p>");
        for (var i = 0; i < verdict.Violations.Length; i++)
        {
            var violation = verdict.Violations[i];
            html.Line($"<section class=\"violation\"><h3>{(long)(i + 1)}. {Words(violation.Kind)}</h3><p>{violation.Text}</p>");
            if (i < MaxPictures)
                new ViolationPicture(history, ViolationScene.Of(history, verdict, violation), _clock, html).Write();
            html.Line($"</section>");
        }
    }

    private static string Number(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    private static string Words(ViolationKind kind) => kind switch
    {
        ViolationKind.Prefix => "A read that is not a prefix of the WAL",
        ViolationKind.ReadYourWrites => "Read your writes",
        ViolationKind.MonotonicReads => "Monotonic reads",
        ViolationKind.MonotonicWrites => "Monotonic writes",
        ViolationKind.WritesFollowReads => "Writes follow reads",
        ViolationKind.Staleness => "Staleness",
        ViolationKind.FailedWriteVisible => "A failed write is visible",
        _ => "An unreported loss",
    };
}
