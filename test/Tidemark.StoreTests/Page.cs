using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;

namespace Tidemark;

/// <summary>A page of the store as received by a browser.</summary>
internal sealed partial record Page(Uri Address, HttpStatusCode Status, string Html)
{
    private const int ProductsOnAPage = 24;

    /// <summary>The HTML with character references decoded.</summary>
    public string Text => WebUtility.HtmlDecode(Html);

    /// <summary>The antiforgery token of the page's form, or <c>null</c> on a page without a form.</summary>
    public string? Token => Find(TokenField());

    /// <summary>The number beside "Wishlist" in the header.</summary>
    public int Wishes => Number(Find(WishCount()));

    /// <summary>The number beside "Messages" in the header.</summary>
    public int Unread => Number(Find(UnreadCount()));

    /// <summary>Whether the wishlist, or the heart button in the product list, shows the product as wished for.</summary>
    public bool ShowsWish(int product) => Html.Contains(Address.AbsolutePath == "/wishlist"
        ? $"""<button class="button quiet" name="product" value="{product}">"""
        : $"""<button class="wish is-wished" title="Remove from wishlist" name="product" value="{product}" """, StringComparison.Ordinal);

    /// <summary>
    /// Returns the id of the message with this text and whether it is unread, or <c>null</c> if the inbox does not show it.
    /// </summary>
    public (int Id, bool IsUnread)? FindMessage(string text)
    {
        foreach (Match message in MessageRow().Matches(Html))
        {
            if (WebUtility.HtmlDecode(message.Groups["text"].Value) != text) continue;
            return (Number(message.Groups["id"].Value), message.Groups["class"].Value.Contains("is-unread", StringComparison.Ordinal));
        }

        return null;
    }

    /// <summary>Returns what is wrong with the page, or <c>null</c> if it shows what its address requires.</summary>
    public string? FindFault()
    {
        if (Status != HttpStatusCode.OK) return $"{Address}: {(int)Status} {Text}";
        if (!Html.TrimEnd().EndsWith("</html>", StringComparison.Ordinal)) return $"{Address}: is truncated";
        if (!Html.Contains("aria-label=\"Queries of this page\"", StringComparison.Ordinal)) return $"{Address}: has no strip";
        if (Html.Contains("is-failed", StringComparison.Ordinal) && Html.Contains("No node can", StringComparison.Ordinal))
            return $"{Address}: a query failed";
        var isThere = Address.AbsolutePath switch
        {
            "/" => ProductRow().Count(Html) == ProductsOnAPage,
            "/wishlist" => Html.Contains("<h1>Your wishlist</h1>", StringComparison.Ordinal),
            "/messages" => Html.Contains("<h1>Messages</h1>", StringComparison.Ordinal)
                && (MessageRow().Count(Html) > 0 || Html.Contains("No messages yet.", StringComparison.Ordinal)),
            _ => false,
        };
        return isThere ? null : $"{Address}: does not show what it should: {Html.Length} characters";
    }

    private string? Find(Regex pattern) => pattern.Match(Html) is { Success: true } found ? found.Groups[1].Value : null;

    private static int Number(string? text) => text is null ? 0 : int.Parse(text, CultureInfo.InvariantCulture);

    [GeneratedRegex("name=\"__RequestVerificationToken\" type=\"hidden\" value=\"([^\"]+)\"")]
    private static partial Regex TokenField();

    [GeneratedRegex("<span class=\"count\">(\\d+)</span>")]
    private static partial Regex WishCount();

    [GeneratedRegex("<span class=\"count unread\">(\\d+)<")]
    private static partial Regex UnreadCount();

    [GeneratedRegex("<li class=\"product\"")]
    private static partial Regex ProductRow();

    [GeneratedRegex("<li class=\"row message(?<class>[^\"]*)\" id=\"message-(?<id>\\d+)\">.*?<p class=\"text\">(?<text>.*?)</p>",
        RegexOptions.Singleline)]
    private static partial Regex MessageRow();
}
