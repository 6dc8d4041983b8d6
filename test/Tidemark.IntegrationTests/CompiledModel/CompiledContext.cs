using Microsoft.EntityFrameworkCore;

namespace Tidemark.CompiledModel;

/// <summary>
/// A context with a compiled model. The files in <c>Generated</c> are the output of <c>dotnet ef dbcontext optimize</c>, without the
/// attribute that makes the context use them automatically. The tests can therefore use both models.
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
