namespace Tidemark.Verification;

/// <summary>
/// Draws the scene of a violation. Each client has a lane. Operations are bars from start to end in the colour of the node that served
/// them. Hand-overs are arrows, and the required effect is a dashed arrow. <see cref="ViolationSteps"/> describes the same scene as text
/// below the picture.
/// </summary>
internal sealed class ViolationPicture(History history, ViolationScene scene, ReportClock clock, HtmlText html)
{
    private const double Left = 92;
    private const double Right = 886;
    private const double BarHeight = 14;
    private const double RowHeight = 36;
    private const double LanePadding = 8;
    private const double CharacterWidth = 6.6;

    private readonly CompressedTime _time = new(Moments(history, scene), history.Columns.TicksPerSecond, Left + 6, Right);
    private readonly Dictionary<int, double> _barTop = [];
    private readonly Dictionary<int, double> _laneMiddle = [];

    public void Write()
    {
        var height = LayOutLanes();
        html.Line($"<div class=\"wide\"><svg viewBox=\"0 0 900 {height + 22}\" role=\"img\" aria-label=\"The operations that make the "
            + $"violation\">");
        foreach (var fork in scene.Forks)
            html.Line($"<line class=\"fork\" x1=\"{_time.X(fork.NotBefore)}\" y1=\"0\" x2=\"{_time.X(fork.NotBefore)}\" y2=\"{height}\"/>");
        foreach (var client in scene.Clients)
        {
            html.Add($"<line class=\"lane\" x1=\"{Left}\" y1=\"{_laneMiddle[client]}\" x2=\"{Right + 6}\" y2=\"{_laneMiddle[client]}\"/>");
            var name = HtmlText.Short(history.ClientName(client));
            html.Line($"<text class=\"name end\" x=\"{Left - 8}\" y=\"{_laneMiddle[client] + 4}\">{name}</text>");
        }

        foreach (var operation in scene.Others) WriteBar(operation, isStep: false);
        foreach (var operation in scene.Steps) WriteBar(operation, isStep: true);
        foreach (var handOver in scene.HandOvers)
            WriteArrow("hand-over", "tip", _time.X(handOver.ExportedAt), _laneMiddle[handOver.From], _time.X(handOver.ImportedAt),
            _laneMiddle[handOver.To]);
        if (scene.Violation.Because is { } because && because != scene.Violation.Operation)
            WriteRequired(because, scene.Violation.Operation);
        WriteLabels();
        WriteTimes(height);
        html.Line($"</svg></div>");
        new ViolationSteps(history, scene, clock, html).Write();
    }

    private static IEnumerable<long> Moments(History history, ViolationScene scene)
    {
        foreach (var index in scene.Steps.Concat(scene.Others))
        {
            var operation = history.Columns.Operations[index];
            yield return operation.Start;
            yield return operation.End;
        }

        foreach (var handOver in scene.HandOvers)
        {
            yield return handOver.ExportedAt;
            yield return handOver.ImportedAt;
        }

        foreach (var fork in scene.Forks) yield return fork.NotBefore;
    }

    // Overlapping operations of one client are drawn in rows below each other.
    private double LayOutLanes()
    {
        var top = 0.0;
        foreach (var client in scene.Clients)
        {
            List<long> rowEnds = [];
            foreach (var index in scene.Steps.Concat(scene.Others).Where(i => history.Columns.Operations[i].Client == client)
                .OrderBy(i => history.Columns.Operations[i].Start))
            {
                var operation = history.Columns.Operations[index];
                var row = rowEnds.FindIndex(end => end <= operation.Start);
                if (row < 0)
                {
                    row = rowEnds.Count;
                    rowEnds.Add(0);
                }

                rowEnds[row] = operation.End;
                _barTop[index] = top + LanePadding + (row * RowHeight) + RowHeight - BarHeight - 2;
            }

            var rows = Math.Max(1, rowEnds.Count);
            _laneMiddle[client] = top + LanePadding + RowHeight - BarHeight - 2 + (BarHeight / 2);
            top += (rows * RowHeight) + (2 * LanePadding);
        }

        return top;
    }

    private void WriteBar(int index, bool isStep)
    {
        var operation = history.Columns.Operations[index];
        var (x, top) = (_time.X(operation.Start), _barTop[index]);
        var width = Math.Max(4, _time.X(operation.End) - x);
        var look = operation switch
        {
            { IsWrite: true, Outcome: HistoryOutcome.Unknown } => "write-bar unknown",
            { IsWrite: true, Outcome: HistoryOutcome.Failed } => "write-bar failed",
            { IsWrite: true } => "write-bar",
            _ => $"n{operation.Node % 8}",
        };
        var role = index == scene.Violation.Operation ? " culprit" : isStep ? "" : " faint";
        html.Line($"<rect class=\"{look}{role}\" x=\"{x}\" y=\"{top}\" width=\"{width}\" height=\"{BarHeight}\" rx=\"3\">"
            + $"<title>{ViolationSteps.Describe(history, index)}</title></rect>");
    }

    private void WriteRequired(int because, int culprit)
    {
        var (from, to) = (history.Columns.Operations[because], history.Columns.Operations[culprit]);
        WriteArrow("required", "tip-bad", _time.X(from.End), _barTop[because] + (BarHeight / 2), _time.X(to.Start), _barTop[culprit]
            + (BarHeight / 2));
    }

    private void WriteArrow(string line, string tip, double x1, double y1, double x2, double y2)
    {
        // Within a lane the arrow is bent below the bars. Between lanes it is a curve.
        var bend = Math.Abs(y1 - y2) < 1 ? BarHeight : 0;
        var reach = Math.Max(16, (x2 - x1) / 2);
        html.Add($"<path class=\"{line}\" d=\"M{x1} {y1 + (bend / 2)}C{x1 + (bend > 0 ? 8 : reach)} {y1 + (bend * 1.6)} "
            + $"{x2 - (bend > 0 ? 8 : reach)} {y2 + (bend * 1.6)} {x2 - 5} {y2 + (bend / 2)}\"/>");
        html.Line($"<path class=\"{tip}\" d=\"M{x2} {y2 + (bend / 2)}l-8 -4v8z\"/>");
    }

    // Writes the number of each step above its bar, and what it showed if there is space.
    private void WriteLabels()
    {
        var taken = new Dictionary<double, double>();
        for (var i = 0; i < scene.Steps.Length; i++)
        {
            var index = scene.Steps[i];
            var (x, y) = (_time.X(history.Columns.Operations[index].Start), _barTop[index] - 5);
            var from = Math.Max(x, taken.GetValueOrDefault(y));
            var text = Shown(index);
            var next = scene.Steps.Skip(i + 1).Where(other => _barTop[other] == _barTop[index])
                .Select(other => _time.X(history.Columns.Operations[other].Start)).DefaultIfEmpty(Right + 14).First();
            var number = $"{i + 1}";
            var end = from + 14 + (text.Length * CharacterWidth);
            if (end > next - 4 && next <= Right) text = "";
            else if (end > Right + 14) from = Math.Max(taken.GetValueOrDefault(y), Right + 10 - 14 - (text.Length * CharacterWidth));
            html.Line($"<text class=\"step\" x=\"{from + 4}\" y=\"{y}\">{number}</text>"
                + $"<text class=\"shown\" x=\"{from + 13}\" y=\"{y}\">{text}</text>");
            taken[y] = from + 16 + (text.Length * CharacterWidth);
        }
    }

    private string Shown(int index)
    {
        var operation = history.Columns.Operations[index];
        if (operation.IsWrite) return $"k{history.Columns.Keys[operation.Key]} v{operation.Version}";
        var written = scene.Steps.Select(step => history.Columns.Operations[step]).Where(step => step.IsWrite).Select(write => write.Key)
            .ToHashSet();
        var rows = Enumerable.Range(operation.FirstRow, operation.RowCount).Select(i => history.Columns.Rows[i])
            .OrderByDescending(row => written.Contains(row.Key)).Take(2).Select(row => $"k{history.Columns.Keys[row.Key]} v{row.Version}");
        return string.Join(", ", rows) + (operation.RowCount > 2 ? " …" : "");
    }

    private void WriteTimes(double height)
    {
        const double Room = 74;
        var last = double.NegativeInfinity;
        foreach (var time in scene.Steps.Select(i => history.Columns.Operations[i].Start))
        {
            var x = _time.X(time);
            if (x - last < Room) continue;
            last = x;
            html.Line($"<text class=\"axis{(x > Right - 50 ? " end" : "")}\" x=\"{x}\" y=\"{height + 14}\">{clock.Text(time)}</text>");
        }
    }
}
