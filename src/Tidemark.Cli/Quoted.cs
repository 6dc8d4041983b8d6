namespace Tidemark.Cli;

/// <summary>Repeats what was typed in complaints, unless it may hold a password.</summary>
internal static class Quoted
{
    private const int LongestWord = 60;

    /// <summary>Whether it may be a connection string, put where something else belongs.</summary>
    public static bool MayBeSecret(string word) => word.Contains("://", StringComparison.Ordinal) || word.AsSpan().ContainsAny("=;@");

    /// <summary>The name of a file or section as it is; three dots in place of what looks like a connection string.</summary>
    public static string Plain(string word) => MayBeSecret(word) ? "\"…\"" : word;

    /// <summary>The word in quotation marks; three dots in place of what looks like a connection string.</summary>
    public static string Word(string word) => word.Length > LongestWord || MayBeSecret(word) ? "\"…\"" : $"\"{word}\"";
}
