namespace Tidemark.Verification;

/// <summary>Events on servers and violations along the time axis, and the events as a list.</summary>
internal sealed class EventStrip(History history, HistoryVerdict verdict, HistoryPageOptions options, ReportClock clock, ReportAxis axis,
    HtmlText html)
{
    private const double Height = 44;

    public void Write()
    {
        if (options.Events.IsEmpty && verdict.Violations.IsEmpty) return;
        html.Line($"<h3>Events{(verdict.Violations.IsEmpty ? "" : " and violations")}</h3>");
        axis.Open(Height, "Events on servers, and violations");
        foreach (var reported in options.Events)
        {
            var x = axis.X(clock.Seconds(reported.At));
            html.Add($"<circle class=\"event\" cx=\"{x}\" cy=\"32\" r=\"4\">"
                + $"<title>{ReportClock.Text(clock.Seconds(reported.At))}: {reported.Text}</title></circle>");
        }

        foreach (var violation in verdict.Violations)
        {
            var x = axis.X(clock.Seconds(history.Columns.Operations[violation.Operation].Start));
            html.Add($"<path class=\"bad\" d=\"M{x - 5} 4h10l-5 12z\"><title>{violation.Text}</title></path>");
        }

        axis.Close(Height);
        if (options.Events.IsEmpty) return;
        html.Line($"<details><summary>{(long)options.Events.Length} events</summary><ol class=\"events\">");
        foreach (var reported in options.Events)
            html.Line($"<li><b>{ReportClock.Text(clock.Seconds(reported.At))}</b> {reported.Text}</li>");
        html.Line($"</ol></details>");
    }
}
