using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Tidemark.Cli;

/// <summary>Prints the records of a command as JSON.</summary>
internal static class Json
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter() },
    };

    private static readonly JsonSerializerOptions OnOneLine = new(Options) { WriteIndented = false };

    /// <summary>Writes the record on one line, for programs that read a stream of records.</summary>
    public static void WriteLine<T>(Terminal terminal, T record) => terminal.Out.WriteLine(JsonSerializer.Serialize(record, OnOneLine));

    public static void Write<T>(Terminal terminal, T record) => terminal.Out.WriteLine(JsonSerializer.Serialize(record, Options));
}
