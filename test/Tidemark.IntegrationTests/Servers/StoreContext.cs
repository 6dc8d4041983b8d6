using Microsoft.EntityFrameworkCore;

namespace Tidemark;

public sealed class StoreContext(DbContextOptions<StoreContext> options) : DbContext(options)
{
    public DbSet<Item> Items => Set<Item>();

    /// <summary>The port of the server that answers: where a query actually ran.</summary>
    public static int ServerPort() => throw new NotSupportedException("Runs in the database only.");

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Item>(item =>
        {
            item.ToTable("items");
            item.Property(i => i.Id).HasColumnName("id").UseIdentityAlwaysColumn();
            item.Property(i => i.Name).HasColumnName("name");
        });
        modelBuilder.HasDbFunction(() => ServerPort()).HasName("inet_server_port").IsBuiltIn();
    }
}
