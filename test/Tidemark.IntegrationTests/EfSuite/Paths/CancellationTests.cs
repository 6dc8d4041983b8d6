using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Tidemark.EfSuite;

/// <summary>A cancelled call ends as without Tidemark, at whatever point it is cancelled, and its context remains usable.</summary>
public sealed class CancellationTests(JournalCluster shared) : IClassFixture<JournalCluster>
{
    private static readonly (string Point, Func<JournalContext, CancellationTokenSource, Task> ActAsync)[] Points =
    [
        ("before a read", async (db, stop) =>
        {
            await stop.CancelAsync();
            await db.Notes.AsNoTracking().ToListAsync(stop.Token);
        }),
        ("before a read with tracking", async (db, stop) =>
        {
            await stop.CancelAsync();
            await db.Notes.ToListAsync(stop.Token);
        }),
        ("before saving", async (db, stop) =>
        {
            await stop.CancelAsync();
            db.Add(new Reply { Text = "never", NoteId = 1 });
            await db.SaveChangesAsync(stop.Token);
        }),
        ("before a transaction", async (db, stop) =>
        {
            await stop.CancelAsync();
            await db.Database.BeginTransactionAsync(stop.Token);
        }),
        ("while a replica is executing",
            (db, stop) => WhileItRuns(stop, db.Notes.AsNoTracking().Select(n => JournalContext.Sleep(30)).ToListAsync(stop.Token))),
        ("while the primary is executing",
            (db, stop) => WhileItRuns(stop, db.Database.ExecuteSqlAsync($"SELECT pg_sleep(30)", stop.Token))),
        ("in the middle of a stream", async (db, stop) =>
        {
            await foreach (var note in Many(db).AsNoTracking().AsAsyncEnumerable().WithCancellation(stop.Token)) await stop.CancelAsync();
        }),
        ("in the middle of a stream with tracking", async (db, stop) =>
        {
            await foreach (var note in Many(db).AsAsyncEnumerable().WithCancellation(stop.Token)) await stop.CancelAsync();
        }),
        ("while the connection opens", async (db, stop) =>
        {
            Opening.Act.Value = stop.Cancel;
            await db.Notes.AsNoTracking().ToListAsync(stop.Token);
        }),
        ("while the connection opens to save", async (db, stop) =>
        {
            Opening.Act.Value = stop.Cancel;
            db.Add(new Reply { Text = "never", NoteId = 1 });
            await db.SaveChangesAsync(stop.Token);
        }),
    ];

    // More rows than the buffers between client and server hold, so that the server is still sending.
    private static IQueryable<Note> Many(JournalContext db) =>
        from n in db.Notes from a in db.Replies from b in db.Replies from c in db.Replies
        from d in db.Replies from e in db.Replies select n;

    public static TheoryData<string> Names => [.. Points.Select(p => p.Point)];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_cancelled_call_ends_as_without_Tidemark(string point)
    {
        // If a pool has to open a connection first, the call ends with another exception, with and without Tidemark.
        foreach (var node in shared.Cluster.Nodes)
        {
            await using var warm = new JournalContext(shared.RoutedOptions(new Sent(), null));
            await warm.Notes.OnNode(node.Name).CountAsync(TestContext.Current.CancellationToken);
        }

        await using (var warm = new JournalContext(shared.RoutedOptions(new Sent(), null)))
            await warm.Database.ExecuteSqlAsync($"SELECT 1", TestContext.Current.CancellationToken);

        var act = Points.Single(p => p.Point == point).ActAsync;
        var plain = await EndAsync(act, new JournalContext(shared.PlainOptions(new Sent(), o => o.AddInterceptors(new Opening()))));
        plain.ShouldNotBe("no error");
        (await EndAsync(act, new JournalContext(shared.RoutedOptions(new Sent(), o => o.AddInterceptors(new Opening()))))).ShouldBe(plain);
    }

    private static async Task<string> EndAsync(Func<JournalContext, CancellationTokenSource, Task> act, JournalContext context)
    {
        await using var _ = context;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        var end = await Errors.OfAsync(() => act(context, stop));
        Opening.Act.Value = null;
        context.ChangeTracker.Clear();
        (await context.Notes.AsNoTracking().CountAsync(TestContext.Current.CancellationToken)).ShouldBe(5);
        (await context.Replies.ToListAsync(TestContext.Current.CancellationToken)).Count.ShouldBe(7);
        return end;
    }

    private static async Task WhileItRuns(CancellationTokenSource stop, Task call)
    {
        // The command is sent once its connection is taken. How far it has come by then does not affect how it ends.
        stop.CancelAfter(TimeSpan.FromMilliseconds(100));
        await call;
    }

    /// <summary>Runs an action when the next connection is about to open.</summary>
    private sealed class Opening : DbConnectionInterceptor
    {
        public static AsyncLocal<Action?> Act { get; } = new();

        public override ValueTask<InterceptionResult> ConnectionOpeningAsync(
            DbConnection connection, ConnectionEventData eventData, InterceptionResult result,
                CancellationToken cancellationToken = default)
        {
            Act.Value?.Invoke();
            return new(result);
        }
    }
}
