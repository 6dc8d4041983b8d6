using System.Collections.Concurrent;
using System.Data.Common;
using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;

namespace Tidemark;

/// <summary>A cluster with the tables of <see cref="RuleContext"/>.</summary>
public sealed class RuleCluster : StoreCluster
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        await Cluster.Primary.RunAsync(
            "CREATE TABLE profiles (id int PRIMARY KEY, name text NOT NULL); " +
            "CREATE TABLE wishes (id int PRIMARY KEY, profile_id int NOT NULL, kind text NOT NULL); " +
            "CREATE TABLE payments (id int PRIMARY KEY, type text NOT NULL); " +
            "CREATE TABLE notes (id int PRIMARY KEY, profile_id int NOT NULL); " +
            "CREATE TABLE letters (id int PRIMARY KEY, profile_id int NOT NULL); " +
            "CREATE FUNCTION sleep(s double precision) RETURNS text LANGUAGE sql AS $$ SELECT pg_sleep(s)::text $$; " +
            "INSERT INTO profiles VALUES (1, 'ada'); INSERT INTO wishes VALUES (1, 1, 'a lighthouse'); INSERT INTO payments VALUES (1, 'cash'), (2, 'card'); " +
            "INSERT INTO notes VALUES (1, 1); INSERT INTO letters VALUES (1, 1)");
        await Cluster.WaitForReplayAsync(Stop);
    }

    internal RuleContext CreateRuleContext(TidemarkDataSource? source = null) => new(source ?? Source);

    /// <summary>The names of the nodes that the context's commands ran on since it was asked last.</summary>
    internal string[] NodesOf(RuleContext context) => [.. context.Commands.TakePorts().Select(NodeAt)];
}

/// <summary>Entities with rules: a profile is read from the primary, its public view from anywhere, card payments from the primary.</summary>
internal sealed class RuleContext(TidemarkDataSource source) : DbContext
{
    public CommandPorts Commands { get; } = new();

    public DbSet<Profile> Profiles => Set<Profile>();

    public DbSet<PublicProfile> PublicProfiles => Set<PublicProfile>();

    public DbSet<ProfileWish> Wishes => Set<ProfileWish>();

    public DbSet<Payment> Payments => Set<Payment>();

    public static string Sleep(double seconds) => throw new NotSupportedException($"Runs in the database only ({seconds}).");

    protected override void OnConfiguring(DbContextOptionsBuilder optionsBuilder) =>
        optionsBuilder.UseTidemark(source).UseQueryTrackingBehavior(QueryTrackingBehavior.NoTracking).AddInterceptors(Commands, CompilationCount.Instance);

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

internal sealed class Profile
{
    public int Id { get; init; }

    public required string Name { get; set; }

    public List<ProfileWish> Wishes { get; } = [];
}

internal sealed class PublicProfile
{
    public int Id { get; init; }

    public required string Name { get; init; }
}

internal sealed class ProfileWish
{
    public int Id { get; init; }

    public int ProfileId { get; init; }

    public required string Kind { get; set; }

    public Profile? Profile { get; init; }
}

internal abstract class Payment
{
    public int Id { get; init; }
}

internal sealed class CashPayment : Payment;

internal sealed class CardPayment : Payment;

internal sealed class Note
{
    public int Id { get; init; }

    public int ProfileId { get; init; }

    public Profile Profile { get; init; } = null!;
}

internal sealed class Letter
{
    public int Id { get; init; }

    public int ProfileId { get; init; }

    public Profile Profile { get; init; } = null!;
}

/// <summary>Notes the port of the server that each command of a context is sent to.</summary>
internal sealed class CommandPorts : DbCommandInterceptor
{
    private readonly ConcurrentQueue<int> _ports = new();

    public int[] TakePorts()
    {
        int[] ports = [.. _ports];
        _ports.Clear();
        return ports;
    }

    public override DbDataReader ReaderExecuted(DbCommand command, CommandExecutedEventData eventData, DbDataReader result)
    {
        _ports.Enqueue(((NpgsqlConnection)command.Connection!).Port);
        return result;
    }

    public override ValueTask<DbDataReader> ReaderExecutedAsync(
        DbCommand command, CommandExecutedEventData eventData, DbDataReader result, CancellationToken cancellationToken = default) =>
        new(ReaderExecuted(command, eventData, result));
}

/// <summary>Counts how often EF Core compiles a query, in all contexts: such an interceptor is shared.</summary>
internal sealed class CompilationCount : IQueryExpressionInterceptor
{
    public static CompilationCount Instance { get; } = new();

    public int Count { get; private set; }

    public Expression QueryCompilationStarting(Expression queryExpression, QueryExpressionEventData eventData)
    {
        Count++;
        return queryExpression;
    }
}
