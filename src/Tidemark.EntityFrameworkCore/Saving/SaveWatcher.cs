using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Tidemark;

/// <summary>Rejects a save in a read-only transaction, and reports the first entity from a replica that is saved.</summary>
internal sealed class SaveWatcher : SaveChangesInterceptor
{
    public static SaveWatcher Instance { get; } = new();

    public override InterceptionResult<int> SavingChanges(DbContextEventData eventData, InterceptionResult<int> result)
    {
        OptionalRouting.Of(eventData.Context)?.Saving();
        return result;
    }

    public override ValueTask<InterceptionResult<int>> SavingChangesAsync(
        DbContextEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
    {
        OptionalRouting.Of(eventData.Context)?.Saving();
        return new ValueTask<InterceptionResult<int>>(result);
    }
}
