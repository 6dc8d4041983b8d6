using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Npgsql;

namespace Tidemark;

/// <summary>Databases and schemas are created and changed on the primary, starting from a cluster without the database.</summary>
public sealed class SchemaTests(StoreCluster shared) : IClassFixture<StoreCluster>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task EnsureCreated_creates_a_missing_database_and_EnsureDeleted_drops_it(bool sync)
    {
        await using var source = Connect(sync ? "made_sync" : "made");
        await using (var context = Context<StoreContext>(source, o => new StoreContext(o)))
        {
            (sync ? context.Database.EnsureCreated() : await context.Database.EnsureCreatedAsync(Stop)).ShouldBeTrue();
            context.Add(new Item { Name = "first" });
            await context.SaveChangesAsync(Stop);
            (await context.Items.AsNoTracking().CountAsync(Stop)).ShouldBe(1);
            (sync ? context.Database.EnsureDeleted() : await context.Database.EnsureDeletedAsync(Stop)).ShouldBeTrue();
            (sync ? context.Database.EnsureCreated() : await context.Database.EnsureCreatedAsync(Stop)).ShouldBeTrue();
            (await context.Items.AsNoTracking().CountAsync(Stop)).ShouldBe(0);
        }
    }

    [Fact]
    public async Task Migrate_runs_on_the_primary_and_replicas_serve_the_new_table_at_once()
    {
        await using var source = Connect("migrated");
        await using var context = Context<MigratedContext>(source, o => new MigratedContext(o));
        await context.Database.MigrateAsync(Stop);
        (await context.Database.GetPendingMigrationsAsync(Stop)).ShouldBeEmpty();

        // No session surrounds this context, so it may read from any replica, which may not have replayed the table yet.
        await using var other = Context<MigratedContext>(source, o => new MigratedContext(o));
        (await other.Notes.AsNoTracking().CountAsync(Stop)).ShouldBe(0);
    }

    private TidemarkDataSource Connect(string database)
    {
        var builder = new TidemarkDataSourceBuilder();
        foreach (var node in shared.Cluster.Nodes)
            builder.AddNode(node.Name, new NpgsqlConnectionStringBuilder(node.ConnectionString) { Database = database }.ConnectionString);
        return builder.Build();
    }

    private static T Context<T>(TidemarkDataSource source, Func<DbContextOptions<T>, T> create)
        where T : DbContext => create(new DbContextOptionsBuilder<T>().UseTidemark(source).Options);

    public sealed class Note
    {
        public int Id { get; init; }
    }

    public sealed class MigratedContext(DbContextOptions<MigratedContext> options) : DbContext(options)
    {
        public DbSet<Note> Notes => Set<Note>();
    }

    [DbContext(typeof(MigratedContext))]
    [Migration("202601010000_Notes")]
    public sealed class NotesMigration : Migration
    {
        protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.CreateTable(
            "Notes", table => new { Id = table.Column<int>() }, constraints: table => table.PrimaryKey("PK_Notes", n => n.Id));

        protected override void BuildTargetModel(ModelBuilder modelBuilder) => modelBuilder.Entity<Note>();
    }
}
