using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.RazorPages;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using Store.Data;

namespace Store.Pages;

/// <summary>The user's wishlist. A POST writes and redirects. The next page reads the written data from a replica.</summary>
public sealed class WishlistModel(StoreContext db) : PageModel
{
    public IReadOnlyList<WishRow> Wishes { get; private set; } = [];

    public async Task OnGetAsync()
    {
        var me = User.Id;
        Wishes = await db.Wishes
            .Where(wish => wish.UserId == me)
            .OrderByDescending(wish => wish.AddedAt)
            .Select(wish => new WishRow(wish.ProductId, wish.Product!.Name, wish.Product.Category, wish.Product.Price, wish.AddedAt))
            .ToListAsync();
    }

    public async Task<IActionResult> OnPostAddAsync(int product, string? backTo)
    {
        db.Add(new Wish { UserId = User.Id!.Value, ProductId = product });
        try
        {
            await db.SaveChangesAsync();
        }
        catch (DbUpdateException e) when (e.InnerException is PostgresException { SqlState: PostgresErrorCodes.UniqueViolation })
        {
            // The button was pressed twice. The product is already on the list.
        }

        return Back(product, backTo);
    }

    public async Task<IActionResult> OnPostRemoveAsync(int product, string? backTo)
    {
        var me = User.Id;
        await db.Wishes.Where(wish => wish.UserId == me && wish.ProductId == product).ExecuteDeleteAsync();
        return Back(product, backTo);
    }

    private IActionResult Back(int product, string? backTo) =>
        Url.IsLocalUrl(backTo) ? LocalRedirect($"{backTo}#product-{product}") : RedirectToPage();
}
