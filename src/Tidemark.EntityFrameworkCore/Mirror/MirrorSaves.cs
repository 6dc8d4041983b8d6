using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Tidemark;

/// <summary>
/// Gives each save its transaction, under a mirror whose test holds one. In production, a save of one statement needs none. Here, its
/// failure would abort the test's transaction as well.
/// </summary>
internal sealed class MirrorSaves : SaveChangesInterceptor
{
    public static MirrorSaves Instance { get; } = new();

    public override InterceptionResult<int> SavingChanges(DbContextEventData eventData, InterceptionResult<int> result)
    {
        Guard(eventData.Context);
        return result;
    }

    public override ValueTask<InterceptionResult<int>> SavingChangesAsync(
        DbContextEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
    {
        Guard(eventData.Context);
        return new ValueTask<InterceptionResult<int>>(result);
    }

    private static void Guard(DbContext? context)
    {
        if (context?.Database is { AutoTransactionBehavior: AutoTransactionBehavior.WhenNeeded } database)
            database.AutoTransactionBehavior = AutoTransactionBehavior.Always;
    }
}
