using System.Globalization;

namespace Tidemark.Verification;

/// <summary>The fields of one line, taken from left to right.</summary>
internal ref struct HistoryLine(ReadOnlySpan<char> text)
{
    private ReadOnlySpan<char> _rest = text.Trim();

    public readonly bool IsAtEnd => _rest.IsEmpty;

    /// <summary>The next field; empty at the end.</summary>
    public ReadOnlySpan<char> Word()
    {
        var end = _rest.IndexOf(' ');
        var word = end < 0 ? _rest : _rest[..end];
        _rest = _rest[word.Length..].TrimStart(' ');
        return word;
    }

    /// <summary>All that is left; null for nothing.</summary>
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

        throw new FormatException($"one of {string.Join(", ", words)} should stand where \"{word}\" does.");
    }

    public int LastOneOf(string[] words) => Last(OneOf(words));

    /// <summary>The next field as KEY:VERSION:VALUE.</summary>
    public bool TryRow(out Observation row)
    {
        row = default;
        var word = Word();
        if (word.IsEmpty) return false;
        var (first, last) = (word.IndexOf(':'), word.LastIndexOf(':'));
        if (first == last) throw new FormatException($"a row is KEY:VERSION:VALUE, and not \"{word}\".");
        row = new Observation(Parse(word[..first]), Parse(word[(first + 1)..last]), Parse(word[(last + 1)..]));
        return true;
    }

    private readonly T Last<T>(T field) => IsAtEnd ? field : throw new FormatException($"nothing should follow where \"{_rest}\" does.");

    private static long Parse(ReadOnlySpan<char> word) =>
        long.TryParse(word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
        ? number
        : throw new FormatException(word.IsEmpty ? "the line is cut off: a number is missing." : $"\"{word}\" is no number.");
}
