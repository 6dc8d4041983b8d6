namespace Tidemark.Cli;

/// <summary>Quotes user input in error messages, unless it may contain a password.</summary>
internal static class Quoted
{
    private const int LongestWord = 60;

    /// <summary>Whether the text may be a connection string, given in place of another value.</summary>
    public static bool MayBeSecret(string word) => word.Contains("://", StringComparison.Ordinal) || word.AsSpan().ContainsAny("=;@");

    /// <summary>Returns the name of a file or section unchanged, or an ellipsis if it looks like a connection string.</summary>
    public static string Plain(string word) => MayBeSecret(word) ? "\"…\"" : word;

    /// <summary>Returns the word in quotation marks, or an ellipsis if it is too long or looks like a connection string.</summary>
    public static string Word(string word) => word.Length > LongestWord || MayBeSecret(word) ? "\"…\"" : $"\"{word}\"";
}
