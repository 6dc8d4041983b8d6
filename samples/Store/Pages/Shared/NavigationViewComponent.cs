using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;
using Store.Data;

namespace Store.Pages.Shared;

/// <summary>The header: navigation links, with the counts of wishes and unread messages.</summary>
public sealed class NavigationViewComponent(StoreContext db) : ViewComponent
{
    public async Task<IViewComponentResult> InvokeAsync() =>
        View(UserClaimsPrincipal.Id is { } me ? await CountAsync(me) : null);

    private Task<Counts?> CountAsync(int me) => db.Users
        .Where(user => user.Id == me)
        .Select(user => new Counts(user.Wishes.Count, user.Inbox.Count(message => !message.IsRead)))
        .SingleOrDefaultAsync();
}
