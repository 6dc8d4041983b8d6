using Microsoft.EntityFrameworkCore;

namespace Tidemark;

public sealed class WishlistContext(DbContextOptions<WishlistContext> options) : DbContext(options)
{
    public DbSet<Wish> Wishes => Set<Wish>();
}
