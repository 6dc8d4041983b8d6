namespace Store;

/// <summary>What the store promises its users. Each derived class runs all of these tests on a different set-up of servers.</summary>
/// <param name="user">The user who signs in. Each derived class has another user, so that no class reads the data of another.</param>
public abstract class StoreTests(int user) : IAsyncLifetime
{
    private StoreApplication _store = null!;
    private Visitor _visitor = null!;

    public virtual async ValueTask InitializeAsync()
    {
        _store = await OpenAsync();
        _visitor = _store.Visit();
        await _visitor.SignInAsync(user);
    }

    public virtual async ValueTask DisposeAsync()
    {
        _visitor.Dispose();
        await _store.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task A_wish_is_on_the_list_and_in_the_count_at_once_and_stays_there()
    {
        var wishes = (await _visitor.GetAsync("/wishlist")).Wishes;
        ShowsWish(await _visitor.PostAsync("/wishlist?handler=Add", ("product", "77")), wishes + 1);
        for (var page = 0; page < 10; page++) ShowsWish(await _visitor.GetAsync("/wishlist"), wishes + 1);

        // Pressing the button a second time does not add the product again.
        ShowsWish(await _visitor.PostAsync("/wishlist?handler=Add", ("product", "77")), wishes + 1);

        var removed = await _visitor.PostAsync("/wishlist?handler=Remove", ("product", "77"));
        removed.ShowsWish(77).ShouldBeFalse();
        removed.Wishes.ShouldBe(wishes);

        static void ShowsWish(Page page, int wishes)
        {
            page.FindFault().ShouldBeNull();
            page.ShowsWish(77).ShouldBeTrue();
            page.Wishes.ShouldBe(wishes);
        }
    }

    [Fact]
    public async Task A_wish_from_the_list_of_products_is_shown_where_it_was_made()
    {
        var page = await _visitor.PostAsync("/wishlist?handler=Add", ("product", "30"), ("backTo", "/?p=2"));
        page.Address.PathAndQuery.ShouldBe("/?p=2");
        page.FindFault().ShouldBeNull();
        page.ShowsWish(30).ShouldBeTrue();
        (await _visitor.PostAsync("/wishlist?handler=Remove", ("product", "30"), ("backTo", "/?p=2"))).ShowsWish(30).ShouldBeFalse();
    }

    [Fact]
    public async Task The_badge_never_counts_a_message_that_the_inbox_does_not_show()
    {
        var unread = (await _visitor.GetAsync("/messages")).Unread;
        var text = $"A note to myself, {Guid.NewGuid()}";
        var sent = await _visitor.PostAsync("/messages?handler=Send", ("to", $"{user}"), ("text", text));
        sent.Unread.ShouldBe(unread + 1);
        var message = sent.FindMessage(text).ShouldNotBeNull();
        message.IsUnread.ShouldBeTrue();

        var opened = await _visitor.PostAsync("/messages?handler=Open", ("message", $"{message.Id}"));
        opened.Unread.ShouldBe(unread);
        opened.FindMessage(text).ShouldBe((message.Id, false));
        (await _visitor.GetAsync("/")).Unread.ShouldBe(unread);
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/?p=400")]
    [InlineData("/?category=Garden&p=3")]
    [InlineData("/?search=kettle")]
    public async Task Every_list_of_products_is_full(string path) => (await _visitor.GetAsync(path)).FindFault().ShouldBeNull();

    /// <summary>Opens another browser.</summary>
    internal Visitor Visit(bool refusesSession) => _store.Visit(refusesSession);

    /// <summary>Gets a page in the user's browser.</summary>
    internal Task<Page> GetAsync(string path) => _visitor.GetAsync(path);

    /// <summary>Posts a form in the user's browser.</summary>
    internal Task<Page> PostAsync(string path, params (string Name, string Value)[] fields) => _visitor.PostAsync(path, fields);

    private protected abstract Task<StoreApplication> OpenAsync();
}
