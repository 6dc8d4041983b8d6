using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Tidemark.EfSuite;

/// <summary>One run of a path: its contexts, and whether it uses synchronous or asynchronous methods.</summary>
internal sealed class Run(Func<Action<DbContextOptionsBuilder>?, DbContextOptions<JournalContext>> options, string connectionString,
    bool sync, CancellationToken stop)
    : IAsyncDisposable
{
    private readonly List<DbContext> _contexts = [];
    private JournalContext? _db;

    public JournalContext Db => _db ??= Another();

    public bool Sync => sync;

    public CancellationToken Stop => stop;

    /// <summary>Creates the caller's own connection to the primary.</summary>
    public NpgsqlConnection OwnConnection() => new(connectionString);

    public DbContextOptions<JournalContext> Options(Action<DbContextOptionsBuilder>? configure = null) => options(configure);

    public JournalContext Another(Action<DbContextOptionsBuilder>? configure = null)
    {
        var context = new JournalContext(options(configure));
        _contexts.Add(context);
        return context;
    }

    public async Task<List<T>> ListAsync<T>(IQueryable<T> query) => sync ? query.ToList() : await query.ToListAsync(stop);

    public async Task<T> FirstAsync<T>(IQueryable<T> query) => sync ? query.First() : await query.FirstAsync(stop);

    public async Task<int> CountAsync<T>(IQueryable<T> query) => sync ? query.Count() : await query.CountAsync(stop);

    /// <summary>Streams the first rows. The rest is never fetched.</summary>
    public async Task<List<T>> StreamAsync<T>(IQueryable<T> query, int most, Func<T, Task>? each = null)
    {
        var rows = new List<T>();
        if (sync)
        {
            foreach (var row in query.AsEnumerable())
            {
                rows.Add(row);
                if (each is not null) await each(row);
                if (rows.Count == most) break;
            }
        }
        else
        {
            await foreach (var row in query.AsAsyncEnumerable().WithCancellation(stop))
            {
                rows.Add(row);
                if (each is not null) await each(row);
                if (rows.Count == most) break;
            }
        }

        return rows;
    }

    public async Task<int> SaveAsync(JournalContext? context = null) =>
        sync ? (context ?? Db).SaveChanges() : await (context ?? Db).SaveChangesAsync(stop);

    /// <summary>Returns the contents of the notes, read without tracking.</summary>
    public async Task<string> NotesAsync(JournalContext? context = null) =>
        string.Join(", ", await ListAsync((context ?? Db).Notes.AsNoTracking().OrderBy(n => n.Id).Select(n => n.Id + "=" + n.Text)));

    public async ValueTask DisposeAsync()
    {
        foreach (var context in _contexts)
        {
            if (sync) context.Dispose();
            else await context.DisposeAsync();
        }
    }
}
