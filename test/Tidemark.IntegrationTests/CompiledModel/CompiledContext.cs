using Microsoft.EntityFrameworkCore;

namespace Tidemark.CompiledModel;

/// <summary>
/// A context whose model is compiled: the files in <c>Generated</c> are what <c>dotnet ef dbcontext optimize</c> makes of it, but for the
/// attribute by which
/// the context would find them by itself, so that its tests have both models.
/// </summary>
internal sealed class CompiledContext(DbContextOptions options) : DbContext(options)
{
    public DbSet<Secret> Secrets => Set<Secret>();

    public DbSet<Story> Stories => Set<Story>();

    public DbSet<Chapter> Chapters => Set<Chapter>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Secret>(secret =>
        {
            secret.ToTable("profiles").ReadsFromPrimary();
            secret.Property(s => s.Id).HasColumnName("id");
        });
        modelBuilder.Entity<Story>(story =>
        {
            story.ToTable("wishes").Reads(Consistency.BoundedStaleness(TimeSpan.FromSeconds(30)));
            story.Property(s => s.Id).HasColumnName("id");
        });
        modelBuilder.Entity<Chapter>(chapter =>
        {
            chapter.ToTable("notes");
            chapter.Property(c => c.Id).HasColumnName("id");
        });
    }
}
