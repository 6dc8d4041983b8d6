using System.Net;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Tidemark.Verification;

namespace Tidemark;

/// <summary>
/// The rows of a <see cref="HistoryRecorder"/> as entities. They are read and written as in an application with EF Core, and recorded by a
/// <see cref="RecordedClient"/>.
/// </summary>
internal sealed class RegisterContext(TidemarkDataSource source, string table) : DbContext
{
    public DbSet<Register> Registers => Set<Register>();

    private string TableName => table;

    public static IPAddress ServerAddress() => throw new NotSupportedException("Runs in the database only.");

    public static string Setting(string name) => throw new NotSupportedException($"Runs in the database only ({name}).");

    public static bool IsInRecovery() => throw new NotSupportedException("Runs in the database only.");

    /// <summary>Returns the rows, untracked, with the name of the node as the node itself reports it.</summary>
    public async Task<RecordedAnswer> ReadAsync(int[] keys, bool isAsync, CancellationToken cancellationToken)
    {
        var query = Registers.Where(r => keys.Contains(r.Key))
            .Select(r => new { r.Key, r.Version, r.Value, Address = ServerAddress(), Port = Setting("port"), IsReplica = IsInRecovery() });
        var rows = isAsync ? await query.ToListAsync(cancellationToken) : query.ToList();
        rows.Count.ShouldBe(keys.Length);
        return new RecordedAnswer($"{rows[0].Address}:{rows[0].Port}", !rows[0].IsReplica,
            [.. rows.Select(r => new Observation(r.Key, r.Version, r.Value))]);
    }

    /// <summary>Changes and saves a tracked entity. Retries if another save came first. Returns the version that it wrote.</summary>
    public async Task<long> SaveAsync(int key, long value, bool isAsync, CancellationToken cancellationToken)
    {
        while (true)
        {
            ChangeTracker.Clear();
            var register = isAsync
                ? await Registers.SingleAsync(r => r.Key == key, cancellationToken) : Registers.Single(r => r.Key == key);
            (register.Version, register.Value) = (register.Version + 1, value);
            try
            {
                _ = isAsync ? await SaveChangesAsync(cancellationToken) : SaveChanges();
                return register.Version;
            }
            catch (DbUpdateConcurrencyException)
            {
            }
        }
    }

    /// <summary>Writes with one statement that commits by itself. Returns 0, because the version it wrote is not known.</summary>
    public async Task<long> UpdateAsync(int key, long value, bool isAsync, CancellationToken cancellationToken)
    {
        var rows = Registers.Where(r => r.Key == key);
        (isAsync
            ? await rows.ExecuteUpdateAsync(u => u.SetProperty(r => r.Version, r => r.Version + 1).SetProperty(r => r.Value, value),
                cancellationToken)
            : rows.ExecuteUpdate(u => u.SetProperty(r => r.Version, r => r.Version + 1).SetProperty(r => r.Value, value))).ShouldBe(1);
        return 0;
    }

    /// <summary>Writes in the same way, in a transaction.</summary>
    public async Task<long> TransactAsync(int key, long value, bool isAsync, CancellationToken cancellationToken)
    {
        await using var transaction = isAsync ? await Database.BeginTransactionAsync(cancellationToken) : Database.BeginTransaction();
        await UpdateAsync(key, value, isAsync, cancellationToken);
        if (isAsync) await transaction.CommitAsync(cancellationToken);
        else transaction.Commit();
        return 0;
    }

    protected override void OnConfiguring(DbContextOptionsBuilder optionsBuilder) =>
        optionsBuilder.UseTidemark(source).ReplaceService<IModelCacheKeyFactory, ModelByTable>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Register>(register =>
        {
            register.ToTable(table).HasKey(r => r.Key);
            register.Property(r => r.Key).HasColumnName("k").ValueGeneratedNever();
            register.Property(r => r.Version).HasColumnName("ver").IsConcurrencyToken();
            register.Property(r => r.Value).HasColumnName("val");
        });
        modelBuilder.HasDbFunction(() => ServerAddress()).HasName("inet_server_addr").IsBuiltIn();
        modelBuilder.HasDbFunction(() => Setting("")).HasName("current_setting").IsBuiltIn();
        modelBuilder.HasDbFunction(() => IsInRecovery()).HasName("pg_is_in_recovery").IsBuiltIn();
    }

    /// <summary>Each recorder has its own table, and therefore its own model.</summary>
    private sealed class ModelByTable : IModelCacheKeyFactory
    {
        public object Create(DbContext context, bool designTime) =>
            (typeof(RegisterContext), ((RegisterContext)context).TableName, designTime);
    }
}
