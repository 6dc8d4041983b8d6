using Microsoft.EntityFrameworkCore;

namespace Tidemark.EfSuite;

/// <summary>
/// Everything observable about a query that was run: rows or error, what the context tracks afterwards, and which SQL was sent where.
/// </summary>
internal sealed record Outcome(string Rows, string Tracked, bool HasTracked, string? Error, IReadOnlyList<string> Sql,
    IReadOnlyList<int> Ports, bool AreChecked)
{
    public bool HasRows => Rows is not ("" or "null" or "#0=[]");

    public static async Task<Outcome> OfAsync(Query query, Func<Sent, NorthwindContext> create, bool sync,
        CancellationToken cancellationToken)
    {
        var sent = new Sent();
        await using var context = create(sent);
        var (rows, error) = ("", default(string));
        try
        {
            rows = Dump.Of(await query.RunAsync(context, sync, cancellationToken));
        }
        catch (Exception e)
        {
            error = Describe(e);
        }

        var tracked = context.ChangeTracker.DebugView.LongView;
        return new Outcome(rows, tracked, context.ChangeTracker.Entries().Any(), error, [.. sent.Sql], [.. sent.Ports],
            sent.Commands.Exists(c => c.IsChecked));
    }

    public void ShouldBeTheSameAs(Outcome other, string how)
    {
        Error.ShouldBe(other.Error, how);
        Rows.ShouldBe(other.Rows, how);
        Tracked.ShouldBe(other.Tracked, how);
        Sql.ShouldBe(other.Sql, how);
    }

    private static string Describe(Exception e) =>
        $"{e.GetType()}: {e.Message}" + (e.InnerException is { } inner ? $"\n<- {Describe(inner)}" : "");
}
