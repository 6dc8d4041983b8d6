using Microsoft.EntityFrameworkCore;

namespace Tidemark;

internal sealed class CounterContext(DbContextOptions options) : DbContext(options)
{
    public DbSet<Counter> Counters => Set<Counter>();

    protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.Entity<Counter>(counter =>
    {
        counter.ToTable("counters");
        counter.Property(c => c.Id).HasColumnName("id").ValueGeneratedNever();
        counter.Property(c => c.Value).HasColumnName("value");
    });
}
