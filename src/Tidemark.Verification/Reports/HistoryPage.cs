namespace Tidemark.Verification;

/// <summary>
/// A history and its verdict as one page of HTML that needs nothing else, no network and no script: where reads went, how far behind
/// replicas were seen to
/// be, and for each violation a picture of the operations that make it.
/// </summary>
public static class HistoryPage
{
    /// <summary>How many violations get a picture; the others get their sentence.</summary>
    public const int MaxPictures = ReportPage.MaxPictures;

    /// <summary>Writes the page.</summary>
    /// <param name="history">What happened.</param>
    /// <param name="verdict">What the checker says to it.</param>
    /// <param name="path">The file, which is replaced.</param>
    /// <param name="options">What else the page tells; nothing by default.</param>
    public static void Write(History history, HistoryVerdict verdict, string path, HistoryPageOptions? options = null)
    {
        using var writer = File.CreateText(path);
        Write(history, verdict, writer, options);
    }

    /// <summary>Writes the page.</summary>
    /// <param name="history">What happened.</param>
    /// <param name="verdict">What the checker says to it.</param>
    /// <param name="writer">Where to.</param>
    /// <param name="options">What else the page tells; nothing by default.</param>
    public static void Write(History history, HistoryVerdict verdict, TextWriter writer, HistoryPageOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(history);
        ArgumentNullException.ThrowIfNull(verdict);
        ArgumentNullException.ThrowIfNull(writer);
        new ReportPage(history, verdict, options ?? new HistoryPageOptions(), new HtmlText(writer)).Write();
        writer.Flush();
    }
}
