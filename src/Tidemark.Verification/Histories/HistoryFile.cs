namespace Tidemark.Verification;

/// <summary>
/// Reads and writes histories as text, one record per line, so that a verdict can be reproduced elsewhere. <c>docs/histories.md</c>
/// describes the format.
/// </summary>
public static class HistoryFile
{
    /// <summary>Reads a history.</summary>
    /// <param name="path">Path of the file.</param>
    /// <exception cref="HistoryException">
    /// The file is truncated, malformed or contradicts itself. <see cref="HistoryException.Line"/> is the line.
    /// </exception>
    public static History Read(string path)
    {
        using var reader = File.OpenText(path);
        return Read(reader);
    }

    /// <summary>Reads a history.</summary>
    /// <param name="reader">The source, which is read to its end.</param>
    /// <exception cref="HistoryException">
    /// The text is truncated, malformed or contradicts itself. <see cref="HistoryException.Line"/> is the line.
    /// </exception>
    public static History Read(TextReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        return new HistoryFileReader(reader).Read();
    }

    /// <summary>Writes a history.</summary>
    /// <param name="history">The history.</param>
    /// <param name="path">Path of the file. An existing file is replaced.</param>
    public static void Write(History history, string path)
    {
        using var writer = File.CreateText(path);
        Write(history, writer);
    }

    /// <summary>Writes a history.</summary>
    /// <param name="history">The history.</param>
    /// <param name="writer">The target.</param>
    public static void Write(History history, TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(history);
        ArgumentNullException.ThrowIfNull(writer);
        new HistoryFileWriter(history.Columns, writer).Write();
    }
}
