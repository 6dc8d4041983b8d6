using System.Transactions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;

namespace Tidemark.EfSuite;

/// <summary>All paths that write, with their reads before and after.</summary>
internal static class WritePaths
{
    public static readonly Path[] All =
    [
        new("ExecuteSql", "P~", async run =>
        {
            var n = run.Sync ? run.Db.Database.ExecuteSql($"UPDATE \"Notes\" SET \"Text\" = {"new"} WHERE \"Id\" = 1")
                : await run.Db.Database.ExecuteSqlAsync($"UPDATE \"Notes\" SET \"Text\" = {"new"} WHERE \"Id\" = 1", run.Stop);
            return n + await run.NotesAsync();
        }),
        new("ExecuteSql of several statements", "P~", async run =>
        {
            const string Sql = "UPDATE \"Notes\" SET \"Text\" = 'x' WHERE \"Id\" = 1; UPDATE \"Notes\" SET \"Text\" = 'y;' WHERE \"Id\" "
                + "> 4;";
            var n = run.Sync ? run.Db.Database.ExecuteSqlRaw(Sql) : await run.Db.Database.ExecuteSqlRawAsync(Sql, run.Stop);
            return n + await run.NotesAsync();
        }),
        new("ExecuteUpdate", "P~", async run =>
        {
            var notes = run.Db.Notes.Where(n => n.Id < 3);
            var n = run.Sync ? notes.ExecuteUpdate(u => u.SetProperty(x => x.Text, x => x.Text + "!"))
                : await notes.ExecuteUpdateAsync(u => u.SetProperty(x => x.Text, x => x.Text + "!"), run.Stop);
            return n + await run.NotesAsync();
        }),
        new("ExecuteDelete", "P~", async run =>
        {
            var replies = run.Db.Replies.Where(r => r.NoteId == 2);
            return (run.Sync ? replies.ExecuteDelete() : await replies.ExecuteDeleteAsync(run.Stop)) + await run.CountAsync(run.Db.Replies);
        }),
        .. Enum.GetValues<AutoTransactionBehavior>().SelectMany(behavior => new[]
        {
            new Path($"one entity saved, transaction {behavior}", "P~", run => AddAsync(run, behavior, 1)),
            new Path($"a batch saved, transaction {behavior}", "P~", run => AddAsync(run, behavior, 70)),
            new Path($"insert, update and delete saved at once, transaction {behavior}", "P~", async run =>
            {
                run.Db.Database.AutoTransactionBehavior = behavior;
                var notes = await run.ListAsync(run.Db.Notes.OrderBy(n => n.Id));
                notes[0].Text = "changed";
                run.Db.Remove(notes[4]);
                run.Db.Add(new Note { Text = "added", Mood = Mood.Cross, Spot = new Spot { City = "Rome" },
                    Details = new Details { Colour = "blue", Words = ["c"] } });
                return await run.SaveAsync() + await run.NotesAsync()
                    + await run.CountAsync(run.Db.Notes.Where(n => n.Details!.Colour == "blue" && n.Mood == Mood.Cross));
            }),
        }),
        new("HiLo keys", "P~", async run =>
        {
            var marks = Enumerable.Range(0, 12).Select(i => new Mark { Text = $"{i}" }).ToList();
            foreach (var mark in marks)
            {
                if (run.Sync) run.Db.Add(mark);
                else await run.Db.AddAsync(mark, run.Stop);
            }

            await run.SaveAsync();
            return string.Join(",", marks.Select(m => m.Id)) + await run.CountAsync(run.Db.Marks);
        }),
        new("a transaction, and reads in and after it", "P~", async run =>
        {
            var transaction = run.Sync ? run.Db.Database.BeginTransaction() : await run.Db.Database.BeginTransactionAsync(run.Stop);
            run.Db.Add(new Note { Text = "in it" });
            await run.SaveAsync();
            var inside = await run.NotesAsync();
            if (run.Sync) transaction.Commit();
            else await transaction.CommitAsync(run.Stop);
            if (run.Sync) transaction.Dispose();
            else await transaction.DisposeAsync();
            return inside + await run.NotesAsync();
        }),
        new("a transaction rolled back", "P~", async run =>
        {
            await using (var transaction = run.Sync
                ? run.Db.Database.BeginTransaction() : await run.Db.Database.BeginTransactionAsync(run.Stop))
            {
                run.Db.Add(new Note { Text = "discarded" });
                await run.SaveAsync();
                if (run.Sync) transaction.Rollback();
                else await transaction.RollbackAsync(run.Stop);
            }

            return await run.NotesAsync();
        }),
        new("a serializable transaction", "P~", async run =>
        {
            await using (var transaction = run.Sync ? run.Db.Database.BeginTransaction(System.Data.IsolationLevel.Serializable)
                : await run.Db.Database.BeginTransactionAsync(System.Data.IsolationLevel.Serializable, run.Stop))
            {
                (await run.ListAsync(run.Db.Notes))[0].Text = "alone";
                await run.SaveAsync();
                await transaction.CommitAsync(run.Stop);
            }

            return await run.NotesAsync();
        }),
        new("a savepoint", "P~", async run =>
        {
            await using var transaction = run.Sync
                ? run.Db.Database.BeginTransaction() : await run.Db.Database.BeginTransactionAsync(run.Stop);
            run.Db.Add(new Note { Text = "kept" });
            await run.SaveAsync();
            if (run.Sync) transaction.CreateSavepoint("here");
            else await transaction.CreateSavepointAsync("here", run.Stop);
            run.Db.Add(new Note { Text = "dropped" });
            await run.SaveAsync();
            if (run.Sync) transaction.RollbackToSavepoint("here");
            else await transaction.RollbackToSavepointAsync("here", run.Stop);
            await transaction.CommitAsync(run.Stop);
            return await run.NotesAsync();
        }),
        new("an error within a transaction, and saving again", "P~", async run =>
        {
            await using var transaction = run.Sync
                ? run.Db.Database.BeginTransaction() : await run.Db.Database.BeginTransactionAsync(run.Stop);
            run.Db.Add(new Note { Id = 1, Text = "a double" });
            var error = await Errors.OfAsync(() => run.SaveAsync());
            run.Db.ChangeTracker.Clear();
            run.Db.Add(new Note { Text = "after the error" });
            await run.SaveAsync();
            await transaction.CommitAsync(run.Stop);
            return error + await run.NotesAsync();
        }),
        new("a duplicate key", "P~", async run =>
        {
            run.Db.Add(new Note { Id = 1, Text = "a double" });
            return await Errors.OfAsync(() => run.SaveAsync()) + await run.NotesAsync();
        }),
        new("a TransactionScope", "P~", async run =>
        {
            string inside;
            using (var scope = new TransactionScope(TransactionScopeAsyncFlowOption.Enabled))
            {
                run.Db.Add(new Note { Text = "scoped" });
                await run.SaveAsync();
                inside = await run.NotesAsync();
                scope.Complete();
            }

            return inside + await run.NotesAsync();
        }),
        new("a TransactionScope that is not completed", "P~", async run =>
        {
            using (new TransactionScope(TransactionScopeAsyncFlowOption.Enabled))
            {
                await run.NotesAsync();
                run.Db.Add(new Note { Text = "discarded" });
                await run.SaveAsync();
            }

            return await run.NotesAsync();
        }),
        new("a transaction that two contexts share", "P~", async run =>
        {
            var other = run.Another();
            await using (var transaction = run.Sync
                ? run.Db.Database.BeginTransaction() : await run.Db.Database.BeginTransactionAsync(run.Stop))
            {
                other.Database.SetDbConnection(run.Db.Database.GetDbConnection());
                if (run.Sync) other.Database.UseTransaction(transaction.GetDbTransaction());
                else await other.Database.UseTransactionAsync(transaction.GetDbTransaction(), run.Stop);
                run.Db.Add(new Note { Text = "one" });
                await run.SaveAsync();
                other.Add(new Note { Text = "two" });
                await run.SaveAsync(other);
                (await run.NotesAsync(other)).ShouldContain("one");
                await transaction.CommitAsync(run.Stop);
            }

            return await run.NotesAsync();
        }),
        new("a transaction in a strategy that is called explicitly", "P~", async run =>
        {
            var context = run.Another(o => o.UseNpgsql(n => n.EnableRetryOnFailure(0)));
            await context.Database.CreateExecutionStrategy().ExecuteAsync(async () =>
            {
                await using var transaction = run.Sync
                    ? context.Database.BeginTransaction() : await context.Database.BeginTransactionAsync(run.Stop);
                context.Add(new Note { Text = "by strategy" });
                await run.SaveAsync(context);
                await transaction.CommitAsync(run.Stop);
            });
            return await run.NotesAsync(context);
        }),
        new("saving on a connection that the caller opened", "P~", async run =>
        {
            if (run.Sync) run.Db.Database.OpenConnection();
            else await run.Db.Database.OpenConnectionAsync(run.Stop);
            run.Db.Add(new Note { Text = "held" });
            await run.SaveAsync();
            if (run.Sync) run.Db.Database.CloseConnection();
            else await run.Db.Database.CloseConnectionAsync();
            return await run.NotesAsync();
        }),
        new Path("saving on the caller's own connection", "P", async run =>
        {
            await using var own = run.OwnConnection();
            run.Db.Database.SetDbConnection(own);
            run.Db.Add(new Reply { Text = "own", NoteId = 1 });
            await run.SaveAsync();
            return await run.CountAsync(run.Db.Replies.Where(r => r.NoteId == 1));
        }) { IsOwn = true },
        new("an entity from a replica, attached and changed", "RP~", async run =>
        {
            var note = await run.FirstAsync(run.Db.Notes.AsNoTracking().OrderBy(n => n.Id));
            run.Db.Attach(note);
            note.Text = "attached";
            await run.SaveAsync();
            return await run.NotesAsync();
        }),
        new("an entity from a replica, updated in another context", "RP~", async run =>
        {
            var note = await run.FirstAsync(run.Db.Notes.AsNoTracking().OrderBy(n => n.Id));
            var other = run.Another();
            note.Text = "elsewhere";
            other.Update(note);
            await run.SaveAsync(other);
            return await run.NotesAsync(other);
        }),
        new("an entity from a replica, related and deleted", "RP~", async run =>
        {
            var notes = await run.ListAsync(run.Db.Notes.AsNoTracking().OrderBy(n => n.Id));
            run.Db.AttachRange(notes[0], notes[4]);
            notes[0].Replies.Add(new Reply { Text = "related" });
            run.Db.Remove(notes[4]);
            await run.SaveAsync();
            return await run.NotesAsync() + await run.CountAsync(run.Db.Replies.Where(r => r.NoteId == 1));
        }),
        new("a concurrency conflict, its values and its reload", "P~P?~", async run =>
        {
            var note = await run.FirstAsync(run.Db.Notes.OrderBy(n => n.Id));
            var other = run.Another();
            (await run.FirstAsync(other.Notes.OrderBy(n => n.Id))).Text = "the first to save";
            await run.SaveAsync(other);
            note.Text = "the second";
            var conflict = run.Sync ? Should.Throw<DbUpdateConcurrencyException>(() => { run.Db.SaveChanges(); })
                : await Should.ThrowAsync<DbUpdateConcurrencyException>(() => run.Db.SaveChangesAsync(run.Stop));
            var entry = conflict.Entries.Single(e => e.Entity is Note);
            var values = run.Sync ? entry.GetDatabaseValues() : await entry.GetDatabaseValuesAsync(run.Stop);
            if (run.Sync) entry.Reload();
            else await entry.ReloadAsync(run.Stop);
            note.Text += ", then the second";
            await run.SaveAsync();
            return values!["Text"] + await run.NotesAsync();
        }),
        new("a pooled context, used twice", "P~P?~", async run =>
        {
            var factory = new PooledDbContextFactory<JournalContext>(run.Options(), poolSize: 1);
            var texts = "";
            for (var i = 0; i < 2; i++)
            {
                var context = run.Sync ? factory.CreateDbContext() : await factory.CreateDbContextAsync(run.Stop);
                context.Add(new Note { Text = $"pooled {i}" });
                await run.SaveAsync(context);
                texts = await run.NotesAsync(context);
                if (run.Sync) context.Dispose();
                else await context.DisposeAsync();
            }

            return texts;
        }),
    ];

    private static async Task<object?> AddAsync(Run run, AutoTransactionBehavior behavior, int count)
    {
        run.Db.Database.AutoTransactionBehavior = behavior;
        run.Db.AddRange(Enumerable.Range(0, count).Select(i => new Note { Text = $"new {i}" }));
        return await run.SaveAsync() + await run.NotesAsync();
    }
}
