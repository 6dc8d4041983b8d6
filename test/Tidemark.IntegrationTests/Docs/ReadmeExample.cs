using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Tidemark;

/// <summary>The code of the README. <see cref="ReadmeTests"/> compares the two and runs this code.</summary>
internal static class ReadmeExample
{
    public static WebApplication Build(string[] args)
    {
        // README
        var builder = WebApplication.CreateBuilder(args);

        builder.Services.AddTidemark(builder.Configuration.GetSection("Tidemark"));
        builder.Services.AddDbContext<WishlistContext>((services, db) => db.UseTidemark(services));

        var app = builder.Build();
        app.UseTidemark();                                    // each user reads their own writes

        app.MapPost("/wishlist", async (Wish wish, WishlistContext db) =>
        {
            db.Add(wish);
            await db.SaveChangesAsync();                      // the primary
            return Results.Redirect("/wishlist");
        });

        app.MapGet("/wishlist", (WishlistContext db) =>
            db.Wishes.AsNoTracking().ToListAsync());          // a replica that has the wish
        app.MapGet("/count", (WishlistContext db) =>
            db.Wishes.WithConsistency(Consistency.Strong).CountAsync());
        app.MapGet("/why", (TidemarkDataSource tidemark) => tidemark.Explain().ToString());
        // end
        return app;
    }
}
