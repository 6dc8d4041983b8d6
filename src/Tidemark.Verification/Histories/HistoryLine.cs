using System.Globalization;

namespace Tidemark.Verification;

/// <summary>The fields of one line, read from left to right.</summary>
internal ref struct HistoryLine(ReadOnlySpan<char> text)
{
    private ReadOnlySpan<char> _rest = text.Trim();

    public readonly bool IsAtEnd => _rest.IsEmpty;

    /// <summary>Returns the next field, or an empty span at the end of the line.</summary>
    public ReadOnlySpan<char> Word()
    {
        var end = _rest.IndexOf(' ');
        var word = end < 0 ? _rest : _rest[..end];
        _rest = _rest[word.Length..].TrimStart(' ');
        return word;
    }

    /// <summary>Returns the rest of the line, or <see langword="null"/> if nothing is left.</summary>
    public readonly string? Rest() => _rest.IsEmpty ? null : _rest.ToString();

    public long Number() => Parse(Word());

    public long LastNumber() => Last(Number());

    public int Int() => checked((int)Number());

    public uint Timeline() => checked((uint)Number());

    public long NumberOr(string none, long otherwise) => Word() is var word && word.SequenceEqual(none) ? otherwise : Parse(word);

    public int OneOf(string[] words)
    {
        var word = Word();
        for (var i = 0; i < words.Length; i++)
        {
            if (word.SequenceEqual(words[i])) return i;
        }

        throw new FormatException($"\"{word}\" is not one of {string.Join(", ", words)}.");
    }

    public int LastOneOf(string[] words) => Last(OneOf(words));

    /// <summary>Reads the next field as KEY:VERSION:VALUE.</summary>
    public bool TryRow(out Observation row)
    {
        row = default;
        var word = Word();
        if (word.IsEmpty) return false;
        var (first, last) = (word.IndexOf(':'), word.LastIndexOf(':'));
        if (first == last) throw new FormatException($"a row has the form KEY:VERSION:VALUE, but this is \"{word}\".");
        row = new Observation(Parse(word[..first]), Parse(word[(first + 1)..last]), Parse(word[(last + 1)..]));
        return true;
    }

    private readonly T Last<T>(T field) => IsAtEnd
        ? field
        : throw new FormatException($"unexpected text at the end of the line: \"{_rest}\".");

    private static long Parse(ReadOnlySpan<char> word) =>
        long.TryParse(word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
        ? number
        : throw new FormatException(word.IsEmpty ? "the line is truncated: a number is missing." : $"\"{word}\" is not a number.");
}
