namespace Tidemark.Verification;

/// <summary>
/// Writes a history and its verdict as one self-contained HTML page, without network access or scripts. The page shows where reads went,
/// the observed lag of replicas, and for each violation a picture of the operations that are involved.
/// </summary>
public static class HistoryPage
{
    /// <summary>Maximum number of violations that are drawn. The others are described by their text only.</summary>
    public const int MaxPictures = ReportPage.MaxPictures;

    /// <summary>Writes the page.</summary>
    /// <param name="history">The history.</param>
    /// <param name="verdict">The verdict of the checker on it.</param>
    /// <param name="path">Path of the file. An existing file is replaced.</param>
    /// <param name="options">Additional contents of the page. Default: none.</param>
    public static void Write(History history, HistoryVerdict verdict, string path, HistoryPageOptions? options = null)
    {
        using var writer = File.CreateText(path);
        Write(history, verdict, writer, options);
    }

    /// <summary>Writes the page.</summary>
    /// <param name="history">The history.</param>
    /// <param name="verdict">The verdict of the checker on it.</param>
    /// <param name="writer">The target.</param>
    /// <param name="options">Additional contents of the page. Default: none.</param>
    public static void Write(History history, HistoryVerdict verdict, TextWriter writer, HistoryPageOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(history);
        ArgumentNullException.ThrowIfNull(verdict);
        ArgumentNullException.ThrowIfNull(writer);
        new ReportPage(history, verdict, options ?? new HistoryPageOptions(), new HtmlText(writer)).Write();
        writer.Flush();
    }
}
