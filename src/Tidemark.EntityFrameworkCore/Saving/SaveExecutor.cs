using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.EntityFrameworkCore.Update;

namespace Tidemark;

/// <summary>
/// Marks a context while it writes a save. EF Core then opens the connection itself and closes it at the end, so the last write of the save
/// is the last write on the connection. The mark ends with the call, however the save ends: EF Core raises no event after a conflict, or
/// after an interceptor that throws.
/// </summary>
/// <param name="inner">The executor that another extension, or EF Core itself, registered.</param>
internal sealed class SaveExecutor<TInner>(TInner inner) : IBatchExecutor
    where TInner : class, IBatchExecutor
{
    public int Execute(IEnumerable<ModificationCommandBatch> commandBatches, IRelationalConnection connection)
    {
        var state = OptionalRouting.Of(connection.Context)?.State;
        state?.BeginSave();
        try
        {
            return inner.Execute(commandBatches, connection);
        }
        finally
        {
            state?.EndSave();
        }
    }

    public async Task<int> ExecuteAsync(
        IEnumerable<ModificationCommandBatch> commandBatches, IRelationalConnection connection,
        CancellationToken cancellationToken = default)
    {
        var state = OptionalRouting.Of(connection.Context)?.State;
        state?.BeginSave();
        try
        {
            return await inner.ExecuteAsync(commandBatches, connection, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            state?.EndSave();
        }
    }
}
