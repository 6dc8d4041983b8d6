namespace Tidemark.Verification;

/// <summary>Reads over time, stacked by the node that served them, in a pale colour while the node was the primary.</summary>
internal sealed class ReadsChart(History history, ReportClock clock, ReportAxis axis, HtmlText html)
{
    private const double Height = 130;
    private const double Headroom = 14;

    // Each node has two layers: as a replica, and as the primary.
    private readonly int _layers = history.Columns.Nodes.Count * 2;

    public void Write()
    {
        var counts = Count();
        var highest = Math.Max(1, counts.Max(bucket => bucket.Sum()));
        html.Line($"<h3>Reads by node</h3>");
        axis.Open(Height, "Reads over time, stacked by the node that served them");
        for (var bucket = 0; bucket < counts.Length; bucket++)
        {
            var top = Height;
            for (var layer = 0; layer < _layers; layer++)
            {
                if (counts[bucket][layer] == 0) continue;
                var height = counts[bucket][layer] * (Height - Headroom) / highest;
                top -= height;
                var role = layer % 2 == 0 ? "" : " as-primary";
                html.Add($"<rect class=\"n{layer / 2 % 8}{role}\" x=\"{ReportAxis.BucketX(bucket)}\" y=\"{top}\" "
                    + $"width=\"{ReportAxis.BucketWidth - 0.8}\" height=\"{height}\"/>");
            }
        }

        html.Line($"<text class=\"axis end\" x=\"{ReportAxis.Left - 6}\" y=\"{Headroom}\">{axis.PerSecond(highest)}</text>");
        axis.Close(Height);
    }

    private int[][] Count()
    {
        var counts = new int[ReportAxis.Buckets][];
        for (var bucket = 0; bucket < counts.Length; bucket++) counts[bucket] = new int[Math.Max(_layers, 1)];
        for (var i = 0; i < history.OperationCount; i++)
        {
            ref readonly var read = ref history.Columns.Operations[i];
            if (!read.IsWrite)
                counts[axis.Bucket(clock.Seconds(read.Start))][(read.Node * 2) + (read.Kind == OperationKind.PrimaryRead ? 1 : 0)]++;
        }

        return counts;
    }
}
