namespace Tidemark.Verification;

/// <summary>The observed lag of each replica, one row per node, on a common logarithmic scale.</summary>
internal sealed class LagChart(History history, ReportClock clock, ReportAxis axis, HtmlText html)
{
    private const double RowHeight = 56;
    private const double LeastSeconds = 0.001;

    public void Write()
    {
        var samples = ObservedLag.Of(history, clock).ToArray();
        var nodes = samples.Select(sample => sample.Node).Distinct().Order().ToArray();
        if (nodes.Length == 0) return;
        var most = Math.Pow(10, Math.Ceiling(Math.Log10(Math.Max(0.1, samples.Max(sample => sample.Seconds)))));
        html.Line($"<h3>Lag observed by reads</h3>");
        html.Line($"<p class=\"note\">Age of the oldest acknowledged commit that a read on the replica did not show. The replica lagged by "
            + $"at least this time. Bar: the worst read of the interval. Line: the median.</p>");
        axis.Open(RowHeight * nodes.Length, "Observed lag of each replica");
        for (var row = 0; row < nodes.Length; row++) WriteRow(nodes[row], RowHeight * (row + 1), most,
            samples.Where(sample => sample.Node == nodes[row]));
        axis.Close(RowHeight * nodes.Length);
    }

    private void WriteRow(int node, double bottom, double most, IEnumerable<ObservedLag> samples)
    {
        double Height(double seconds) =>
            seconds <= LeastSeconds ? 0 : Math.Log(seconds / LeastSeconds) / Math.Log(most / LeastSeconds) * (RowHeight - 12);

        html.Add($"<line class=\"rule\" x1=\"{ReportAxis.Left}\" y1=\"{bottom}\" x2=\"{ReportAxis.Right}\" y2=\"{bottom}\"/>");
        var name = HtmlText.Short(history.Columns.Nodes[node]);
        html.Add($"<text class=\"name end\" x=\"{ReportAxis.Left - 8}\" y=\"{bottom - 14}\">{name}</text>");
        for (var scale = most; scale > 5 * LeastSeconds; scale /= 100)
        {
            var y = bottom - Height(scale);
            html.Add($"<line class=\"lane\" x1=\"{ReportAxis.Left}\" y1=\"{y}\" x2=\"{ReportAxis.Right}\" y2=\"{y}\"/>");
            html.Add($"<text class=\"axis\" x=\"{ReportAxis.Right + 4}\" y=\"{y + 4}\">{ReportClock.Span(scale)}</text>");
        }

        foreach (var bucket in samples.GroupBy(sample => axis.Bucket(sample.At)))
        {
            var lags = bucket.Select(sample => sample.Seconds).Order().ToArray();
            var (worst, median) = (Height(lags[^1]), Height(lags[lags.Length / 2]));
            var x = ReportAxis.BucketX(bucket.Key);
            html.Add($"<rect class=\"n{node % 8} soft\" x=\"{x}\" y=\"{bottom - Math.Max(worst, 1)}\" "
                + $"width=\"{ReportAxis.BucketWidth - 0.8}\" height=\"{Math.Max(worst, 1)}\"><title>worst {ReportClock.Span(lags[^1])}, "
                + $"median {ReportClock.Span(lags[lags.Length / 2])}, {(long)lags.Length} reads</title></rect>");
            if (median > 0)
                html.Add(
                $"<rect class=\"n{node % 8}\" x=\"{x}\" y=\"{bottom - median - 1}\" "
                    + $"width=\"{ReportAxis.BucketWidth - 0.8}\" height=\"2\"/>");
        }

        html.Line($"");
    }
}
