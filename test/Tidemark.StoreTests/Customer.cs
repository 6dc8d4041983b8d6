using System.Globalization;

namespace Tidemark;

/// <summary>
/// A signed-in visitor who writes and checks what the next page shows. No other visitor changes this wishlist and inbox, so the numbers in
/// the header must be exact.
/// </summary>
internal sealed class Customer : IDisposable
{
    private readonly Visitor _visitor;
    private readonly string _notes = Guid.NewGuid().ToString("N");
    private int[] _products = [];
    private int _writes;
    private int _wishes;
    private int _unread;

    private Customer(Uri store, bool refusesSession) => _visitor = Visitor.Of(store, refusesSession);

    /// <summary>Pages that did not show the preceding write, each with what was missing.</summary>
    public List<string> Stale { get; } = [];

    /// <summary>Pages that were invalid or failed.</summary>
    public List<string> Faults { get; } = [];

    public Visitor Visitor => _visitor;

    private int Product => _products[_writes / 4 % _products.Length];

    private string Text => string.Create(CultureInfo.InvariantCulture, $"Note {_writes / 4} of {_notes}");

    /// <summary>Signs a customer in, with or without Tidemark's cookie.</summary>
    public static async Task<Customer> ComeAsync(OpenStore store, int user, bool refusesSession = false)
    {
        var customer = new Customer(store.Process.Address, refusesSession);
        await customer._visitor.SignInAsync(user);
        var page = await customer._visitor.GetAsync("/wishlist");
        (customer._wishes, customer._unread) = (page.Wishes, page.Unread);
        customer._products = [.. Enumerable.Range(1, 500).Where(product => !page.ShowsWish(product))];
        return customer;
    }

    /// <summary>
    /// Writes, follows the redirect and checks the resulting page. The writes alternate: add a wish, remove it, send a message to itself,
    /// open the message.
    /// </summary>
    public async Task WriteAndLookAsync()
    {
        var (page, isShown) = (_writes % 4) switch
        {
            0 => await WishAsync(),
            1 => await WishNoMoreAsync(),
            2 => await SendAsync(),
            _ => await OpenAsync(),
        };
        _writes++;
        if (page.FindFault() is { } fault) Faults.Add(fault);
        else if (!isShown) Stale.Add($"write {_writes} of user {_visitor.User}");
        else if (page.Wishes != _wishes || page.Unread != _unread)
            Stale.Add($"write {_writes} of user {_visitor.User}: the header counts {page.Wishes} and {page.Unread}, not {_wishes} and "
                + $"{_unread}");
    }

    public void Dispose() => _visitor.Dispose();

    // Every second write is from the product list, and the redirect leads back to it.
    private async Task<(Page Page, bool IsShown)> WishAsync()
    {
        var backTo = _writes % 8 == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"/?p={(Product - 1) / 24 + 1}");
        var page = await _visitor.PostAsync("/wishlist?handler=Add", ("product", Id(Product)), ("backTo", backTo));
        _wishes++;
        return (page, page.ShowsWish(Product));
    }

    private async Task<(Page Page, bool IsShown)> WishNoMoreAsync()
    {
        var page = await _visitor.PostAsync("/wishlist?handler=Remove", ("product", Id(Product)));
        _wishes--;
        return (page, !page.ShowsWish(Product));
    }

    private async Task<(Page Page, bool IsShown)> SendAsync()
    {
        var page = await _visitor.PostAsync("/messages?handler=Send", ("to", Id(_visitor.User)), ("text", Text));
        _unread++;
        return (page, page.FindMessage(Text) is not null);
    }

    private async Task<(Page Page, bool IsShown)> OpenAsync()
    {
        // Without a session, the message may not be visible at first.
        (int Id, bool IsUnread)? message;
        do message = (await _visitor.GetAsync("/messages")).FindMessage(Text);
        while (message is null);

        var page = await _visitor.PostAsync("/messages?handler=Open", ("message", Id(message.Value.Id)));
        _unread--;
        return (page, page.FindMessage(Text) is { IsUnread: false });
    }

    private static string Id(int id) => id.ToString(CultureInfo.InvariantCulture);
}
