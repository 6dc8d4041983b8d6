using System.Globalization;
using System.Security.Claims;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.RazorPages;
using Microsoft.EntityFrameworkCore;
using Store.Data;

namespace Store.Pages;

/// <summary>The sign-in page. A visitor chooses a user; this sample has no passwords.</summary>
public sealed class SignInModel(StoreContext db) : PageModel
{
    public IReadOnlyList<UserRow> Users { get; private set; } = [];

    [BindProperty(SupportsGet = true, Name = "returnUrl")]
    public string? BackTo { get; set; }

    public async Task OnGetAsync() => Users = await db.Users
        .OrderBy(user => user.Id)
        .Select(user => new UserRow(user.Id, user.Name))
        .ToListAsync();

    public async Task<IActionResult> OnPostAsync(int user)
    {
        var name = await db.Users.Where(u => u.Id == user).Select(u => u.Name).SingleOrDefaultAsync();
        if (name is null) return RedirectToPage();

        Claim[] claims = [new(ClaimTypes.NameIdentifier, user.ToString(CultureInfo.InvariantCulture)), new(ClaimTypes.Name, name)];
        await HttpContext.SignInAsync(new ClaimsPrincipal(new ClaimsIdentity(claims, CookieAuthenticationDefaults.AuthenticationScheme)));
        return LocalRedirect(Url.IsLocalUrl(BackTo) ? BackTo : "/");
    }

    public async Task<IActionResult> OnPostOutAsync()
    {
        await HttpContext.SignOutAsync();
        return RedirectToPage("/Index");
    }
}
