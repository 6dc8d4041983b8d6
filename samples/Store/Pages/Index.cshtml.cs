using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.RazorPages;
using Microsoft.EntityFrameworkCore;
using Store.Data;

namespace Store.Pages;

/// <summary>The product catalogue, with search, categories and paging.</summary>
public sealed class IndexModel(StoreContext db) : PageModel
{
    private const int PageSize = 24;

    [BindProperty(SupportsGet = true)]
    public string? Search { get; set; }

    [BindProperty(SupportsGet = true)]
    public string? Category { get; set; }

    /// <summary>The page of the list, from 1.</summary>
    [BindProperty(SupportsGet = true, Name = "p")]
    public int Number { get; set; } = 1;

    public int Total { get; private set; }

    public int LastNumber => Math.Max(1, (Total + PageSize - 1) / PageSize);

    public IReadOnlyList<ProductRow> Products { get; private set; } = [];

    public async Task OnGetAsync()
    {
        var products = db.Products.AsQueryable();
        if (!string.IsNullOrEmpty(Category)) products = products.Where(product => product.Category == Category);
        if (!string.IsNullOrWhiteSpace(Search))
            products = products.Where(product => EF.Functions.ILike(product.Name, $"%{Search.Trim()}%"));

        Total = await products.CountAsync();
        Number = Math.Clamp(Number, 1, LastNumber);

        var me = User.Id;
        Products = await products
            .OrderBy(product => product.Id)
            .Skip((Number - 1) * PageSize)
            .Take(PageSize)
            .Select(product => new ProductRow(
                product.Id, product.Name, product.Category, product.Price, product.Wishes.Any(wish => wish.UserId == me)))
            .ToListAsync();
    }
}
