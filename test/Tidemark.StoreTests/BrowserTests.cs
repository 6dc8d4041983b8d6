using System.Collections.Concurrent;
using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Tidemark;

/// <summary>
/// Tests of the store's pages in a real browser. The replicas lag more than the time between clicks, so only the session makes pages
/// consistent.
/// </summary>
public sealed partial class BrowserTests(OpenStore store, Chromium chromium) : IClassFixture<OpenStore>, IClassFixture<Chromium>,
    IAsyncLifetime
{
    private readonly ConcurrentQueue<string> _problems = new();
    private IBrowserContext _context = null!;
    private IPage _page = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private ILocator Header => _page.GetByRole(AriaRole.Banner);

    private ILocator WishCount => Header.GetByRole(AriaRole.Link, new() { Name = "Wishlist" }).Locator(".count");

    private ILocator UnreadCount => Header.GetByRole(AriaRole.Link, new() { Name = "Messages" }).Locator(".count");

    public async ValueTask InitializeAsync()
    {
        _context = await chromium.Browser.NewContextAsync(new() { BaseURL = store.Process.Address.ToString() });
        _page = await _context.NewPageAsync();
        _page.PageError += (_, error) => _problems.Enqueue(error);
        _page.RequestFailed += (_, request) => _problems.Enqueue($"{request.Url}: {request.Failure}");
        _page.Response += (_, response) =>
        {
            if (response.Status >= 400) _problems.Enqueue($"{response.Url}: {response.Status}");
        };
        _page.Request += (_, request) =>
        {
            if (new Uri(request.Url).Authority != store.Process.Address.Authority) _problems.Enqueue($"{request.Url} is not the store");
        };
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var replica in store.Cluster.Replicas) await replica.DelayReplayAsync(TimeSpan.Zero, Stop);
        await _page.DisposeAsync();
        await _context.DisposeAsync();
        _problems.ShouldBeEmpty();
    }

    [Fact(Timeout = 60_000)]
    public async Task A_product_added_from_a_search_is_on_the_wishlist_immediately()
    {
        await SignInAsync("Grace Hopper");
        await DelayReplicasAsync();
        var wishes = await CountAsync(WishCount);

        await _page.GetByLabel("Search products").FillAsync("quiet oak kettle");
        await _page.GetByRole(AriaRole.Button, new() { Name = "Search", Exact = true }).ClickAsync();
        await Expect(_page.Locator(".product h2")).ToHaveTextAsync(["Quiet Oak Kettle"]);

        await _page.GetByRole(AriaRole.Button, new() { Name = "Add Quiet Oak Kettle to wishlist" }).ClickAsync();
        await SeeAtOnceAsync(_page.GetByRole(AriaRole.Button, new() { Name = "Remove Quiet Oak Kettle from wishlist" }), WishCount, wishes
            + 1);
        _page.Url.ShouldContain("search=quiet");
        await ExpectStripAsync(afterWrite: true);

        await Header.GetByRole(AriaRole.Link, new() { Name = "Wishlist" }).ClickAsync();
        await Expect(_page.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToHaveTextAsync("Your wishlist");
        await Expect(_page.Locator(".row h2")).ToHaveCountAsync(wishes + 1);
        (await _page.Locator(".row h2").First.InnerTextAsync()).ShouldBe("Quiet Oak Kettle");

        await _page.GetByRole(AriaRole.Button, new() { Name = "Remove Quiet Oak Kettle" }).ClickAsync();
        await SeeAtOnceAsync(_page.GetByText(string.Create(CultureInfo.InvariantCulture, $"{wishes} items")), WishCount, wishes);
        (await _page.GetByText("Quiet Oak Kettle").CountAsync()).ShouldBe(0);
        await ExpectStripAsync(afterWrite: true);
    }

    [Fact(Timeout = 60_000)]
    public async Task An_opened_message_is_shown_and_counted_as_read_immediately()
    {
        await SignInAsync("Ada Lovelace");
        await DelayReplicasAsync();
        var unread = await CountAsync(UnreadCount);
        unread.ShouldBeGreaterThan(1);

        await Header.GetByRole(AriaRole.Link, new() { Name = "Messages" }).ClickAsync();
        await Expect(_page.Locator(".message.is-unread")).ToHaveCountAsync(unread);
        var message = _page.Locator("#" + await _page.Locator(".message.is-unread").First.GetAttributeAsync("id"));
        await message.GetByRole(AriaRole.Button).ClickAsync();

        await SeeAtOnceAsync(_page.Locator($":not(.is-unread)#{await message.GetAttributeAsync("id")}"), UnreadCount, unread - 1);
        (await _page.Locator(".message.is-unread").CountAsync()).ShouldBe(unread - 1);
        (await message.GetByRole(AriaRole.Button).CountAsync()).ShouldBe(0);
        await ExpectStripAsync(afterWrite: true);
    }

    [Fact(Timeout = 60_000)]
    public async Task A_message_reaches_another_browser_as_soon_as_the_replicas_have_it()
    {
        await SignInAsync("Barbara Liskov");
        await _page.GotoAsync("/messages");
        await _page.GetByLabel("To", new() { Exact = true }).SelectOptionAsync("Edsger Dijkstra");
        await _page.GetByLabel("Message", new() { Exact = true }).FillAsync("Is <b>this</b> you?");
        await _page.GetByRole(AriaRole.Button, new() { Name = "Send" }).ClickAsync();
        await Expect(_page.GetByRole(AriaRole.Status)).ToHaveTextAsync("Your message is on its way.");
        await store.Cluster.WaitForReplayAsync(Stop);

        await _context.ClearCookiesAsync();
        await SignInAsync("Edsger Dijkstra");
        await _page.GotoAsync("/messages");
        (await _page.Locator(".message.is-unread .text").First.InnerTextAsync()).ShouldBe("Is <b>this</b> you?");
    }

    [Fact(Timeout = 60_000)]
    public async Task Each_page_names_the_node_and_the_reason_of_each_of_its_queries()
    {
        await SignInAsync("Linus Torvalds");
        foreach (var path in new[] { "/", "/wishlist", "/messages" })
        {
            await _page.GotoAsync(path);
            await ExpectStripAsync(afterWrite: false);
            (await _page.EvaluateAsync<int>("[...document.styleSheets].reduce((rules, sheet) => rules + sheet.cssRules.length, 0)"))
                .ShouldBeGreaterThan(10);
            (await Queries("This page").Locator(".node").AllInnerTextsAsync()).ShouldAllBe(node => node == "pg-2" || node == "pg-3");
            (await Queries("This page").Locator(".reason").AllInnerTextsAsync()).ShouldAllBe(
                reason => reason == "any replica may serve this read"
                    || reason == "it has served the session's reads so far, and still has what they returned");

            await Queries("This page").First.Locator("summary").ClickAsync();
            await Expect(Queries("This page").First.Locator(".decision"))
                .ToContainTextAsync("pg-1  is the primary, which serves reads only when no replica can");
            await Expect(_page.GetByRole(AriaRole.List, new() { Name = "Nodes" }).GetByRole(AriaRole.Listitem)).ToHaveTextAsync(
                [NodeLine("pg-1", "primary"), NodeLine("pg-2", "replica"), NodeLine("pg-3", "replica")]);
        }
    }

    private ILocator Queries(string group) =>
        _page.Locator(".strip section").Filter(new() { Has = _page.GetByRole(AriaRole.Heading, new() { Name = group }) }).Locator(".query");

    private async Task SignInAsync(string name)
    {
        await _page.GotoAsync("/signin");
        await _page.GetByRole(AriaRole.Button, new() { Name = name }).ClickAsync();
        await Expect(Header).ToContainTextAsync(name);
    }

    // From here on, no replica shows a new write during the test.
    private async Task DelayReplicasAsync()
    {
        await store.Cluster.WaitForReplayAsync(Stop);
        foreach (var replica in store.Cluster.Replicas) await replica.DelayReplayAsync(TimeSpan.FromSeconds(5), Stop);
    }

    /// <summary>
    /// Waits for the content of the page after the redirect, and expects the count in its header to be correct without a further wait.
    /// </summary>
    private static async Task SeeAtOnceAsync(ILocator sign, ILocator counter, int count)
    {
        await Expect(sign).ToBeVisibleAsync(new() { Timeout = 4_000 });
        (await CountAsync(counter)).ShouldBe(count);
    }

    /// <summary>
    /// Expects each query with its node, reason and duration, and the write before the redirect if <paramref name="afterWrite"/>.
    /// </summary>
    private async Task ExpectStripAsync(bool afterWrite)
    {
        var all = await Queries("This page").AllAsync();
        all.ShouldNotBeEmpty();
        foreach (var query in all)
        {
            (await query.Locator(".node").InnerTextAsync()).ShouldBeOneOf("pg-1", "pg-2", "pg-3");
            (await query.Locator(".reason").InnerTextAsync()).ShouldNotBeNullOrWhiteSpace();
            (await query.Locator(".sql").InnerTextAsync()).ShouldStartWith("SELECT");
            (await query.Locator(".duration").InnerTextAsync()).ShouldMatch(@"^\d+\.\d ms$");
        }

        if (!afterWrite)
        {
            (await Queries("Before the redirect").CountAsync()).ShouldBe(0);
            return;
        }

        (await Queries("Before the redirect").Locator(".node").AllInnerTextsAsync()).ShouldHaveSingleItem().ShouldBe("pg-1");
        (await Queries("Before the redirect").Locator(".reason").AllInnerTextsAsync()).ShouldHaveSingleItem()
            .ShouldBe("writes go to the primary");
        (await Queries("Before the redirect").Locator(".sql").InnerTextAsync()).ShouldMatch("^(INSERT|UPDATE|DELETE) ");
    }

    private static async Task<int> CountAsync(ILocator counter) =>
        int.Parse(Digits().Match(await counter.InnerTextAsync()).Value, CultureInfo.InvariantCulture);

    private static Regex NodeLine(string name, string role) => new($@"^\s*{name}\s+{role}\s+[0-9A-F]+/[0-9A-F]+\s*$");

    [GeneratedRegex(@"\d+")]
    private static partial Regex Digits();
}
