using Microsoft.EntityFrameworkCore;

namespace Tidemark;

/// <summary>
/// Entities with rules: profiles are read from the primary, their public view from any node, card payments from the primary.
/// </summary>
internal sealed class RuleContext(TidemarkDataSource source) : DbContext
{
    public CommandPorts Commands { get; } = new();

    public DbSet<Profile> Profiles => Set<Profile>();

    public DbSet<PublicProfile> PublicProfiles => Set<PublicProfile>();

    public DbSet<ProfileWish> Wishes => Set<ProfileWish>();

    public DbSet<Payment> Payments => Set<Payment>();

    public static string Sleep(double seconds) => throw new NotSupportedException($"Runs in the database only ({seconds}).");

    protected override void OnConfiguring(DbContextOptionsBuilder optionsBuilder) =>
        optionsBuilder.UseTidemark(source).UseQueryTrackingBehavior(QueryTrackingBehavior.NoTracking)
            .AddInterceptors(Commands, CompilationCount.Instance);

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Profile>(profile =>
        {
            profile.ToTable("profiles").ReadsFromPrimary();
            profile.Property(p => p.Id).HasColumnName("id").ValueGeneratedNever();
            profile.Property(p => p.Name).HasColumnName("name");
        });
        modelBuilder.Entity<PublicProfile>(profile =>
        {
            profile.ToView("profiles").Reads(Consistency.Eventual);
            profile.Property(p => p.Id).HasColumnName("id");
            profile.Property(p => p.Name).HasColumnName("name");
        });
        modelBuilder.Entity<ProfileWish>(wish =>
        {
            wish.ToTable("wishes");
            wish.Property(w => w.Id).HasColumnName("id").ValueGeneratedNever();
            wish.Property(w => w.ProfileId).HasColumnName("profile_id");
            wish.Property(w => w.Kind).HasColumnName("kind");
            wish.HasOne(w => w.Profile).WithMany(p => p.Wishes).HasForeignKey(w => w.ProfileId);
        });
        modelBuilder.Entity<Payment>(payment =>
        {
            payment.ToTable("payments");
            payment.Property(p => p.Id).HasColumnName("id").ValueGeneratedNever();
            payment.HasDiscriminator<string>("type").HasValue<CashPayment>("cash").HasValue<CardPayment>("card");
        });
        modelBuilder.Entity<CashPayment>();
        modelBuilder.Entity<CardPayment>().ReadsFromPrimary();
        modelBuilder.Entity<Note>(note =>
        {
            note.ToTable("notes");
            note.Property(n => n.Id).HasColumnName("id").ValueGeneratedNever();
            note.Property(n => n.ProfileId).HasColumnName("profile_id");
            note.HasQueryFilter(n => n.Profile.Name != "hidden");
        });
        modelBuilder.Entity<Letter>(letter =>
        {
            letter.ToTable("letters");
            letter.Property(l => l.Id).HasColumnName("id").ValueGeneratedNever();
            letter.Property(l => l.ProfileId).HasColumnName("profile_id");
            letter.Navigation(l => l.Profile).AutoInclude();
        });
        modelBuilder.HasDbFunction(() => Sleep(0)).HasName("sleep");
    }
}
