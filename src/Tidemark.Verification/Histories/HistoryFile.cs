namespace Tidemark.Verification;

/// <summary>
/// Histories as text, one record to a line, so that a verdict can be had again elsewhere. <c>docs/histories.md</c> describes the format.
/// </summary>
public static class HistoryFile
{
    /// <summary>Reads a history.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="HistoryException">
    /// The file is cut off, malformed or contradicts itself; <see cref="HistoryException.Line"/> says where.
    /// </exception>
    public static History Read(string path)
    {
        using var reader = File.OpenText(path);
        return Read(reader);
    }

    /// <summary>Reads a history.</summary>
    /// <param name="reader">Where from, to its end.</param>
    /// <exception cref="HistoryException">
    /// The text is cut off, malformed or contradicts itself; <see cref="HistoryException.Line"/> says where.
    /// </exception>
    public static History Read(TextReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        return new HistoryFileReader(reader).Read();
    }

    /// <summary>Writes a history.</summary>
    /// <param name="history">The history.</param>
    /// <param name="path">The file, which is replaced.</param>
    public static void Write(History history, string path)
    {
        using var writer = File.CreateText(path);
        Write(history, writer);
    }

    /// <summary>Writes a history.</summary>
    /// <param name="history">The history.</param>
    /// <param name="writer">Where to.</param>
    public static void Write(History history, TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(history);
        ArgumentNullException.ThrowIfNull(writer);
        new HistoryFileWriter(history.Columns, writer).Write();
    }
}
