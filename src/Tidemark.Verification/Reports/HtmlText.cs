using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using System.Text;

namespace Tidemark.Verification;

/// <summary>Writes HTML. All text in interpolation holes is encoded, so that the name of a node or client cannot become markup.</summary>
internal sealed class HtmlText(TextWriter writer)
{
    public void Add(Pieces html) => writer.Write(html.Text);

    public void Line(Pieces html) => writer.Write(html.Text.Append('\n'));

    /// <summary>Writes text that is already markup.</summary>
    public void Raw(string markup) => writer.Write(markup);

    /// <summary>Shortens a name so that it fits beside a lane.</summary>
    public static string Short(string name) => name.Length <= 12 ? name : $"{name[..11]}…";

    /// <summary>Markup with interpolation holes.</summary>
    [InterpolatedStringHandler]
    public readonly ref struct Pieces
    {
        public Pieces(int literalLength, int formattedCount) => Text = new StringBuilder(literalLength + (8 * formattedCount));

        public StringBuilder Text { get; }

        public void AppendLiteral(string markup) => Text.Append(markup);

        public void AppendFormatted(string? text) => Text.Append(WebUtility.HtmlEncode(text));

        public void AppendFormatted(long number) => Text.Append(CultureInfo.InvariantCulture, $"{number}");

        /// <summary>Appends a length in a picture. A tenth of a pixel is precise enough.</summary>
        public void AppendFormatted(double length) => Text.Append(CultureInfo.InvariantCulture, $"{length:0.#}");
    }
}
