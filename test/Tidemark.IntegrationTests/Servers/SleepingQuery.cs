using Microsoft.EntityFrameworkCore;

namespace Tidemark;

internal static class SleepingQuery
{
    /// <summary>A query that takes a tenth of a second.</summary>
    public static Task FromSleepAsync(this IQueryable<ProfileWish> wishes) =>
        wishes.Where(w => RuleContext.Sleep(0.1) != "never").Take(1).ToListAsync(TestContext.Current.CancellationToken);
}
