using System.Text.Json;
using Microsoft.EntityFrameworkCore;

namespace Store.Data;

/// <summary>The database of the store. It contains no code for replicas.</summary>
public sealed class StoreContext(DbContextOptions<StoreContext> options) : DbContext(options)
{
    public DbSet<Product> Products => Set<Product>();

    public DbSet<User> Users => Set<User>();

    public DbSet<Wish> Wishes => Set<Wish>();

    public DbSet<Message> Messages => Set<Message>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Product>().Property(product => product.Price).HasPrecision(10, 2);

        modelBuilder.Entity<Wish>().HasKey(wish => new { wish.UserId, wish.ProductId });
        modelBuilder.Entity<Wish>().Property(wish => wish.AddedAt).HasDefaultValueSql("now()");

        modelBuilder.Entity<Message>().HasOne(message => message.To).WithMany(user => user.Inbox);
        modelBuilder.Entity<Message>().HasOne(message => message.From).WithMany();
        modelBuilder.Entity<Message>().Property(message => message.Text).HasMaxLength(Message.MaxLength);
        modelBuilder.Entity<Message>().Property(message => message.SentAt).HasDefaultValueSql("now()");

        UsePostgresNames(modelBuilder);
    }

    /// <summary>Uses names such as <c>products</c> and <c>user_id</c>, which need no quotes in SQL.</summary>
    private static void UsePostgresNames(ModelBuilder modelBuilder)
    {
        foreach (var entity in modelBuilder.Model.GetEntityTypes())
        {
            entity.SetTableName(JsonNamingPolicy.SnakeCaseLower.ConvertName(entity.GetTableName()!));
            foreach (var property in entity.GetProperties())
                property.SetColumnName(JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name));
        }
    }
}
