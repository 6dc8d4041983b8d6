using Microsoft.EntityFrameworkCore;

namespace Tidemark;

internal sealed class MirrorContext(DbContextOptions options) : DbContext(options)
{
    public DbSet<Item> Items => Set<Item>();

    public DbSet<RuledItem> Ruled => Set<RuledItem>();

    public static long Draw(int id) => throw new NotSupportedException($"Runs in the database only ({id}).");

    public static string Mode() => throw new NotSupportedException("Runs in the database only.");

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Item>(item =>
        {
            item.ToTable("items");
            item.Property(i => i.Id).HasColumnName("id").UseIdentityAlwaysColumn();
            item.Property(i => i.Name).HasColumnName("name");
        });
        modelBuilder.Entity<RuledItem>(item =>
        {
            item.HasNoKey().ToView("items").ReadsFromPrimary();
            item.Property(i => i.Name).HasColumnName("name");
        });
        modelBuilder.HasDbFunction(() => Draw(0)).HasName("draw");
        modelBuilder.HasDbFunction(() => Mode()).HasName("mode");
    }
}
