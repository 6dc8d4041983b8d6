using Microsoft.EntityFrameworkCore;

namespace Tidemark.EfSuite;

internal sealed class NorthwindContext(DbContextOptions<NorthwindContext> options) : DbContext(options)
{
    public DbSet<Customer> Customers => Set<Customer>();

    public DbSet<Employee> Employees => Set<Employee>();

    public DbSet<Category> Categories => Set<Category>();

    public DbSet<Product> Products => Set<Product>();

    public DbSet<Tag> Tags => Set<Tag>();

    public DbSet<Order> Orders => Set<Order>();

    public DbSet<OrderLine> Lines => Set<OrderLine>();

    public DbSet<Payment> Payments => Set<Payment>();

    public DbSet<CustomerTotal> Totals => Set<CustomerTotal>();

    /// <summary>Returns the port of the server that answers.</summary>
    public static int ServerPort() => throw new NotSupportedException("Runs in the database only.");

    /// <summary>A database function that is mapped explicitly.</summary>
    public static int Doubled(int value) => throw new NotSupportedException("Runs in the database only.");

    /// <summary>A database function that returns rows.</summary>
    public IQueryable<Order> OrdersOf(string customerId) => FromExpression(() => OrdersOf(customerId));

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.HasDbFunction(() => ServerPort()).HasName("inet_server_port").IsBuiltIn();
        modelBuilder.HasDbFunction(() => Doubled(0)).HasName("doubled");
        modelBuilder.HasDbFunction(typeof(NorthwindContext).GetMethod(nameof(OrdersOf), [typeof(string)])!).HasName("orders_of");

        modelBuilder.Entity<Customer>(customer =>
        {
            customer.ToTable("Customers");
            customer.OwnsOne(c => c.Address, address => address.OwnsOne(a => a.Location));
            customer.Navigation(c => c.Address).IsRequired();
            customer.OwnsOne(c => c.Preferences, preferences =>
            {
                preferences.ToJson();
                preferences.OwnsMany(p => p.Favourites);
            });
        });
        modelBuilder.Entity<Employee>(employee =>
        {
            employee.Property(e => e.Id).ValueGeneratedNever();
            employee.HasOne(e => e.Manager).WithMany(e => e.Reports).HasForeignKey(e => e.ManagerId);
            employee.ComplexProperty(e => e.Contact);
        });
        modelBuilder.Entity<Category>(category =>
        {
            category.Property(c => c.Id).ValueGeneratedNever();
            category.HasOne(c => c.Picture).WithOne().HasForeignKey<Picture>(p => p.CategoryId);
            category.Navigation(c => c.Picture).AutoInclude();
        });
        modelBuilder.Entity<Picture>().Property(p => p.Id).ValueGeneratedNever();
        modelBuilder.Entity<Product>(product =>
        {
            product.Property(p => p.Id).ValueGeneratedNever();
            product.HasMany(p => p.Tags).WithMany(t => t.Products).UsingEntity(join => join.ToTable("ProductTags"));
        });
        modelBuilder.Entity<Tag>().Property(t => t.Id).ValueGeneratedNever();
        modelBuilder.Entity<Order>(order =>
        {
            order.Property(o => o.Id).ValueGeneratedNever();
            order.Property(o => o.Status).HasConversion<string>();
            order.HasQueryFilter(o => !o.IsDeleted);
        });
        modelBuilder.Entity<OrderLine>().HasKey(l => new { l.OrderId, l.ProductId });
        modelBuilder.Entity<Payment>(payment =>
        {
            payment.Property(p => p.Id).ValueGeneratedNever();
            payment.HasDiscriminator<string>("Kind").HasValue<CardPayment>("card").HasValue<TransferPayment>("transfer");
        });
        modelBuilder.Entity<CustomerTotal>().HasNoKey().ToView("customer_totals");
    }
}
