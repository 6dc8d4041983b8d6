using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Tidemark;

/// <summary>
/// Marks a context while it saves. EF Core then opens the connection itself and closes it at the end, so the last write of the save is the
/// last write on the connection. More may be written on a connection that the user has opened.
/// </summary>
internal sealed class SaveWatcher : SaveChangesInterceptor
{
    public static SaveWatcher Instance { get; } = new();

    public override InterceptionResult<int> SavingChanges(DbContextEventData eventData, InterceptionResult<int> result)
    {
        Note(eventData.Context, isSaving: true);
        return result;
    }

    public override ValueTask<InterceptionResult<int>> SavingChangesAsync(
        DbContextEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
    {
        Note(eventData.Context, isSaving: true);
        return new ValueTask<InterceptionResult<int>>(result);
    }

    public override int SavedChanges(SaveChangesCompletedEventData eventData, int result)
    {
        Note(eventData.Context, isSaving: false);
        return result;
    }

    public override ValueTask<int> SavedChangesAsync(SaveChangesCompletedEventData eventData, int result,
        CancellationToken cancellationToken = default)
    {
        Note(eventData.Context, isSaving: false);
        return new ValueTask<int>(result);
    }

    public override void SaveChangesFailed(DbContextErrorEventData eventData) => Note(eventData.Context, isSaving: false);

    public override Task SaveChangesFailedAsync(DbContextErrorEventData eventData, CancellationToken cancellationToken = default)
    {
        Note(eventData.Context, isSaving: false);
        return Task.CompletedTask;
    }

    public override void SaveChangesCanceled(DbContextEventData eventData) => Note(eventData.Context, isSaving: false);

    public override Task SaveChangesCanceledAsync(DbContextEventData eventData, CancellationToken cancellationToken = default)
    {
        Note(eventData.Context, isSaving: false);
        return Task.CompletedTask;
    }

    private static void Note(DbContext? context, bool isSaving)
    {
        if (ContextRouting.Of(context) is not { } routing) return;
        if (isSaving) routing.BeginSave();
        else routing.State.EndSave();
    }
}
