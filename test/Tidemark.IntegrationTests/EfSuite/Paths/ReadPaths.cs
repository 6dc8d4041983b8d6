using Microsoft.EntityFrameworkCore;

namespace Tidemark.EfSuite;

/// <summary>All paths that only read.</summary>
internal static class ReadPaths
{
    public static readonly Path[] All =
    [
        new("rows without tracking", "R", async run => (await run.ListAsync(run.Db.Notes.AsNoTracking())).Count),
        new("rows with tracking", "P", async run => (await run.ListAsync(run.Db.Notes)).Count),
        new("a split query without tracking", "R", async run =>
            (await run.ListAsync(run.Db.Notes.AsNoTracking().Include(n => n.Replies).AsSplitQuery())).Sum(n => n.Replies.Count)),
        new("a split query with tracking", "P", async run => (await run.ListAsync(run.Db.Notes.Include(n => n.Replies).AsSplitQuery()))
            .Sum(n => n.Replies.Count)),
        new("an include", "R", async run => (await run.ListAsync(run.Db.Replies.AsNoTracking().Include(r => r.Note)))
            .Count(r => r.Note?.Text == "note 2")),
        new("a stream", "R", async run => (await run.StreamAsync(run.Db.Notes.AsNoTracking(), most: 100)).Count),
        new("a stream with tracking", "P", async run => (await run.StreamAsync(run.Db.Notes, most: 100)).Count),
        new("a stream that is left early, and what follows it", "R", async run =>
            (await run.StreamAsync(run.Db.Notes.AsNoTracking().OrderBy(n => n.Id), most: 2)).Count + await run.CountAsync(run.Db.Notes)),
        new("a stream with tracking that is left early, and what follows it", "P~", async run =>
            (await run.StreamAsync(run.Db.Notes.OrderBy(n => n.Id), most: 2)).Count + await run.CountAsync(run.Db.Notes)),
        new("a stream of a split query that is left early", "R", async run =>
            (await run.StreamAsync(run.Db.Notes.AsNoTracking().Include(n => n.Replies).OrderBy(n => n.Id).AsSplitQuery(), most: 1)).Count),
        new("a query within a stream", "R", async run => await Errors.OfAsync(() =>
            run.StreamAsync(run.Db.Notes.AsNoTracking().OrderBy(n => n.Id), most: 3,
                each: async n => await run.CountAsync(run.Db.Replies)))),
        new("a query with tracking within a stream with tracking", "P", async run => await Errors.OfAsync(() =>
            run.StreamAsync(run.Db.Notes.OrderBy(n => n.Id), most: 3, each: async n => await run.ListAsync(run.Db.Replies)))),
        new("a query of another context within a stream", "R", async run =>
        {
            var sum = 0;
            await run.StreamAsync(run.Db.Notes.AsNoTracking().OrderBy(n => n.Id), most: 3,
                each: async n => sum += await run.CountAsync(run.Another().Replies));
            return sum;
        }),
        new("a stream that is closed by disposing of its context", "R", async run =>
        {
            var context = run.Another();
            var rows = context.Notes.AsNoTracking().AsEnumerable().GetEnumerator();
            rows.MoveNext().ShouldBeTrue();
            if (run.Sync) context.Dispose();
            else await context.DisposeAsync();
            return await run.CountAsync(run.Db.Notes);
        }),
        new("lazy loading with tracking", "P", async run => (await run.FirstAsync(run.Db.Notes.OrderBy(n => n.Id))).Replies.Count),
        new("lazy loading without tracking", "R", async run => (await run.FirstAsync(run.Db.Notes.AsNoTracking().OrderBy(n => n.Id)))
            .Replies.Count),
        new("explicit loading", "P", async run =>
        {
            var note = await run.FirstAsync(run.Db.Notes.OrderBy(n => n.Id));
            if (run.Sync) run.Db.Entry(note).Collection(n => n.Replies).Load();
            else await run.Db.Entry(note).Collection(n => n.Replies).LoadAsync(run.Stop);
            return note.Replies.Count;
        }),
        new("a query over a navigation that is not loaded", "P~", async run =>
        {
            var note = await run.FirstAsync(run.Db.Notes.OrderBy(n => n.Id));
            return await run.CountAsync(run.Db.Entry(note).Collection(n => n.Replies).Query().Where(r => r.Id > 2));
        }),
        new("a compiled query", "R", async run =>
        {
            await Task.CompletedTask;
            return CompiledFor(run.Db)(run.Db, 3);
        }),
        new("Find", "P", async run => (run.Sync ? run.Db.Notes.Find(3) : await run.Db.Notes.FindAsync([3], run.Stop))?.Text),
        new("Find of a tracked entity", "P", async run =>
        {
            await run.ListAsync(run.Db.Notes);
            return (run.Sync ? run.Db.Notes.Find(3) : await run.Db.Notes.FindAsync([3], run.Stop))?.Text;
        }),
        new("an aggregate", "R", async run => run.Sync ? run.Db.Notes.Max(n => n.Id) : await run.Db.Notes.MaxAsync(n => n.Id, run.Stop)),
        new("a projection", "R", async run => string.Join(",", await run.ListAsync(run.Db.Notes.Select(n => new { n.Id, n.Text })))),
        new("a view", "R", async run => (await run.ListAsync(run.Db.Lengths)).Sum(l => l.Length)),
        new("owned, JSON and enum columns", "R", async run => (await run.ListAsync(run.Db.Notes.AsNoTracking()
            .Where(n => n.Mood == Mood.Calm && n.Spot!.City == "Oslo" && n.Details!.Words.Contains("b"))))
                .Select(n => n.Details!.Colour + n.Mood + n.Spot!.City).Single()),
        new("with and without a query filter of the model", "R",
            async run => await run.CountAsync(run.Db.Notes) - await run.CountAsync(run.Db.Notes.IgnoreQueryFilters())),
        new("FromSql", "P",
            async run => (await run.ListAsync(run.Db.Notes.FromSql($"SELECT *, xmin FROM \"Notes\" WHERE \"Id\" = {2}").AsNoTracking()))
            .Count),
        new("FromSql within a larger query", "P", async run =>
            await run.CountAsync(run.Db.Notes.FromSqlRaw("SELECT *, xmin FROM \"Notes\"").Where(n => n.Id > 2))),
        new("SqlQuery", "P", async run =>
            (await run.ListAsync(run.Db.Database.SqlQuery<int>($"SELECT count(*)::int AS \"Value\" FROM \"Notes\""))).Single()),
        new("a retrying strategy", "R", async run => await run.NotesAsync(run.Another(o => o.UseNpgsql(n => n.EnableRetryOnFailure())))),
        new("a retrying strategy, streaming and split", "R", async run =>
            (await run.StreamAsync(run.Another(o => o.UseNpgsql(n => n.EnableRetryOnFailure())).Notes.AsNoTracking().Include(n => n.Replies)
                .AsSplitQuery(), most: 2)).Count),
        new("a strategy that is called explicitly", "R", async run =>
        {
            var context = run.Another(o => o.UseNpgsql(n => n.EnableRetryOnFailure()));
            return await context.Database.CreateExecutionStrategy().ExecuteAsync(() => run.NotesAsync(context));
        }),
        new("a query on a connection that the caller opened", "P~", async run =>
        {
            if (run.Sync) run.Db.Database.OpenConnection();
            else await run.Db.Database.OpenConnectionAsync(run.Stop);
            var during = await run.NotesAsync();
            if (run.Sync) run.Db.Database.CloseConnection();
            else await run.Db.Database.CloseConnectionAsync();
            return during == await run.NotesAsync();
        }),
        new("a query on the caller's own connection", "P", async run =>
        {
            await using var own = run.OwnConnection();
            run.Db.Database.SetDbConnection(own);
            return await run.NotesAsync() + await run.CountAsync(run.Db.Replies);
        }) { IsOwn = true },
        new("the caller's own connection, handed over and left open", "P", async run =>
        {
            var context = run.Another();
            context.Database.SetDbConnection(run.OwnConnection(), contextOwnsConnection: true);
            if (run.Sync) context.Database.OpenConnection();
            else await context.Database.OpenConnectionAsync(run.Stop);
            return await run.NotesAsync(context);
        }) { IsOwn = true },
        new("a query over another connection string", "P", async run =>
        {
            run.Db.Database.SetConnectionString(run.OwnConnection().ConnectionString + ";Application Name=own");
            return string.Join(",", await run.ListAsync(run.Db.Notes.Select(n => JournalContext.Setting("application_name", true))));
        }) { IsOwn = true },
        new("another connection string after a read", "R?P", async run =>
        {
            await run.NotesAsync();
            _ = run.Db.Database.GetDbConnection();
            run.Db.Database.SetConnectionString(run.OwnConnection().ConnectionString + ";Application Name=own");
            return string.Join(",", await run.ListAsync(run.Db.Notes.Select(n => JournalContext.Setting("application_name", true))));
        }) { IsOwn = true },
        new("CanConnect", "P", async run => run.Sync
            ? run.Db.Database.CanConnect() : await run.Db.Database.CanConnectAsync(run.Stop)) { WithoutPrimary = "False" },
        new("EnsureCreated of an existing database", "P", async run => run.Sync
            ? run.Db.Database.EnsureCreated() : await run.Db.Database.EnsureCreatedAsync(run.Stop)),
        new("an empty list of pending migrations", "P", async run =>
            (run.Sync ? run.Db.Database.GetPendingMigrations() : await run.Db.Database.GetPendingMigrationsAsync(run.Stop)).Count()),
    ];

    private static readonly System.Collections.Concurrent.ConcurrentDictionary<object, Func<JournalContext, int, string?>> Compiled = new();

    // A compiled query belongs to one model, and plain contexts have another.
    private static Func<JournalContext, int, string?> CompiledFor(JournalContext context) => Compiled.GetOrAdd(
        context.Model,
            _ => EF.CompileQuery((JournalContext db, int id) => db.Notes.Where(n => n.Id == id).Select(n => n.Text).FirstOrDefault()));
}
