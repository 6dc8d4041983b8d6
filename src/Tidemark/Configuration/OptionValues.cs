using System.Globalization;

namespace Tidemark;

/// <summary>The kinds of values that options have.</summary>
internal static class OptionValues
{
    public static OptionDeclaration<TOwner> Time<TOwner>(
        this OptionDeclaration<TOwner> option, TimeSpan from, TimeSpan? to = null) => option with
    {
        Parse = Parsed<TimeSpan>,
        Accepts = value => value is TimeSpan time && time >= from && !(time > to),
    };

    public static OptionDeclaration<TOwner> Whole<TOwner>(this OptionDeclaration<TOwner> option, int from, int to) => option with
    {
        Parse = Parsed<int>,
        Accepts = value => value is int number && number >= from && number <= to,
    };

    // Written so that NaN is refused.
    public static OptionDeclaration<TOwner> Weight<TOwner>(
        this OptionDeclaration<TOwner> option, Func<double, bool> isInBounds) => option with
    {
        Parse = Parsed<double>,
        Accepts = value => value is double weight && isInBounds(weight),
    };

    public static OptionDeclaration<TOwner> Choice<TOwner, T>(this OptionDeclaration<TOwner> option)
        where T : struct, Enum => option with
        {
            Bounds = $"one of {string.Join(", ", Enum.GetNames<T>())}",
            Parse = text => Enum.TryParse<T>(text, ignoreCase: true, out var value) && Enum.IsDefined(value) ? value : null,
            Accepts = value => value is T choice && Enum.IsDefined(choice),
        };

    public static object? Parsed<T>(string text)
        where T : struct, IParsable<T> => T.TryParse(text, CultureInfo.InvariantCulture, out var value) ? value : null;
}
